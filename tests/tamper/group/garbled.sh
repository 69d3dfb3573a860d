# expect: group:rp-team
# restore: rm -f /usr/local/sbin/getent
printf '#!/bin/sh\necho "rp-team:x"\n' > /usr/local/sbin/getent; chmod 755 /usr/local/sbin/getent
