# expect: download:/srv/blob
# restore: rm /usr/local/sbin/sha256sum
printf '#!/bin/sh\necho "sha256sum: Input/output error" >&2\nexit 1\n' > /usr/local/sbin/sha256sum; chmod 0755 /usr/local/sbin/sha256sum
