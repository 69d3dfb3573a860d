# expect: line:/etc/rp-shared match ^BAD=
# restore: rm -f /usr/local/sbin/grep
printf '#!/bin/sh\necho "grep knows nothing"\n' > /usr/local/sbin/grep; chmod 755 /usr/local/sbin/grep
