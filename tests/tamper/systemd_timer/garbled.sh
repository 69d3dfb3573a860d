# expect: systemd_timer:tamper
# restore: rm -f /usr/local/sbin/systemctl
printf '#!/bin/sh\necho "Id=tamper.timer"\necho junk\n' > /usr/local/sbin/systemctl
chmod 0755 /usr/local/sbin/systemctl
