# expect: ollama_model:tiny:1b in /srv/models
# restore: rm /usr/local/sbin/sha256sum
printf '#!/bin/sh\necho "sha256sum: Input/output error" >&2; exit 1\n' > /usr/local/sbin/sha256sum; chmod 0755 /usr/local/sbin/sha256sum
