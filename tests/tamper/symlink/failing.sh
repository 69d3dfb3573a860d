# expect: symlink:/srv/rp-link
# restore: rm -f /usr/local/sbin/find
printf '#!/bin/sh\necho "find: out of memory" >&2\nexit 1\n' > /usr/local/sbin/find; chmod 755 /usr/local/sbin/find
