# expect: systemd_timer:tamper
# restore: rm -f /usr/local/sbin/systemd-analyze
printf '#!/bin/sh\necho "no bus" >&2\nexit 1\n' > /usr/local/sbin/systemd-analyze
chmod 0755 /usr/local/sbin/systemd-analyze
