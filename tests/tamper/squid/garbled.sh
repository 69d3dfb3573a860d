# expect: squid:/etc/squid/squid.conf
# restore: rm /usr/local/sbin/systemctl
printf '#!/bin/sh\necho "<html>bogus: 7"\necho\necho "\\001"\n' >/usr/local/sbin/systemctl && chmod 0755 /usr/local/sbin/systemctl
