# expect: mount:/srv/tamper
# restore: rm -f /usr/local/sbin/cat
printf '#!/bin/sh\necho junk\n' > /usr/local/sbin/cat
chmod 0755 /usr/local/sbin/cat
