# expect: user:rp-ann
# restore: rm /usr/local/sbin/getent
printf '#!/bin/sh\necho "<html>bogus: 7"\necho\necho "\\001"\n' >/usr/local/sbin/getent && chmod 0755 /usr/local/sbin/getent
