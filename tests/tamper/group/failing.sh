# expect: group:rp-team
# restore: rm -f /usr/local/sbin/getent
printf '#!/bin/sh\necho "getent: cannot open" >&2\nexit 1\n' > /usr/local/sbin/getent; chmod 755 /usr/local/sbin/getent
