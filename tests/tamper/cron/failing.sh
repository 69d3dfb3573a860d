# expect: cron:rp-tamper
# restore: rm /usr/local/sbin/stat
printf '#!/bin/sh\necho "stat: internal error" >&2\nexit 4\n' >/usr/local/sbin/stat && chmod 0755 /usr/local/sbin/stat
