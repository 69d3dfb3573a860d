# expect: systemd_credential:tamper
# restore: rm -f /usr/local/sbin/systemd-creds
printf '#!/bin/sh\nexit 1\n' > /usr/local/sbin/systemd-creds
chmod 0755 /usr/local/sbin/systemd-creds
