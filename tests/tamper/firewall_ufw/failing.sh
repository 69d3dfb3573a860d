# expect: firewall_ufw:ufw
# restore: rm /usr/local/sbin/iptables-save
printf '#!/bin/sh\necho "iptables-save: internal error" >&2\nexit 4\n' >/usr/local/sbin/iptables-save && chmod 0755 /usr/local/sbin/iptables-save
