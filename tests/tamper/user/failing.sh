# expect: user:rp-ann
# restore: rm /usr/local/sbin/getent
printf '#!/bin/sh\necho "getent: internal error" >&2\nexit 4\n' >/usr/local/sbin/getent && chmod 0755 /usr/local/sbin/getent
