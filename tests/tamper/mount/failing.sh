# expect: mount:/srv/tamper
# restore: rm -f /usr/local/sbin/cat
# /usr/local/sbin comes first in root's PATH.
printf '#!/bin/sh\nexit 1\n' > /usr/local/sbin/cat
chmod 0755 /usr/local/sbin/cat
