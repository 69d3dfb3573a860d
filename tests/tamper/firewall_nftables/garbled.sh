# expect: firewall_nftables:rempart
# restore: rm /usr/local/sbin/nft
printf '#!/bin/sh\necho "<html>bogus: 7"\necho\necho "\\001"\n' >/usr/local/sbin/nft && chmod 0755 /usr/local/sbin/nft
