# expect: reboot:host
# restore: rm -f /usr/local/sbin/uname
printf '#!/bin/sh\nexit 1\n' > /usr/local/sbin/uname
chmod 0755 /usr/local/sbin/uname
