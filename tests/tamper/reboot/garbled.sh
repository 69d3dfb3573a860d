# expect: reboot:host
# restore: rm -f /usr/local/sbin/uname
printf '#!/bin/sh\necho junk\n' > /usr/local/sbin/uname
chmod 0755 /usr/local/sbin/uname
