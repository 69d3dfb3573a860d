# expect: firewall_nftables:rempart
# restore: rm /usr/local/sbin/nft
printf '#!/bin/sh\necho "netlink: internal error" >&2\nexit 1\n' >/usr/local/sbin/nft && chmod 0755 /usr/local/sbin/nft
