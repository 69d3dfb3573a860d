# expect: systemd_unit:tamper-unit.service
# restore: rm /usr/local/sbin/systemctl
printf '#!/bin/sh\necho "systemctl: internal error" >&2\nexit 4\n' >/usr/local/sbin/systemctl && chmod 0755 /usr/local/sbin/systemctl
