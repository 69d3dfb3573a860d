# expect: logrotate:tamper
# restore: rm -f /usr/local/sbin/logrotate
printf '#!/bin/sh\necho "cannot read" >&2\nexit 1\n' > /usr/local/sbin/logrotate
chmod 0755 /usr/local/sbin/logrotate
