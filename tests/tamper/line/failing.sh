# expect: line:/etc/rp-shared match ^BAD=
# restore: rm -f /usr/local/sbin/grep
printf '#!/bin/sh\necho "grep: memory exhausted" >&2\nexit 2\n' > /usr/local/sbin/grep; chmod 755 /usr/local/sbin/grep
