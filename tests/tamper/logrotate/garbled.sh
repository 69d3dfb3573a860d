# expect: logrotate:tamper
# restore: rm -f /usr/local/sbin/logrotate
printf '#!/bin/sh\necho reading junk >&2\n' > /usr/local/sbin/logrotate
chmod 0755 /usr/local/sbin/logrotate
