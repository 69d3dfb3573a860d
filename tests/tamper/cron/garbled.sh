# expect: cron:rp-tamper
# restore: rm /usr/local/sbin/stat
printf '#!/bin/sh\necho "<html>bogus: 7"\necho\necho "\\001"\n' >/usr/local/sbin/stat && chmod 0755 /usr/local/sbin/stat
