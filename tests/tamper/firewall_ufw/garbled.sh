# expect: firewall_ufw:ufw
# restore: rm /usr/local/sbin/iptables-save
printf '#!/bin/sh\necho "<html>bogus: 7"\necho\necho "\\001"\n' >/usr/local/sbin/iptables-save && chmod 0755 /usr/local/sbin/iptables-save
