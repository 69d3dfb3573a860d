# expect: ollama_model:tiny:1b in /srv/models
# restore: rm /usr/local/sbin/sha256sum
printf '#!/bin/sh\necho all is well\n' > /usr/local/sbin/sha256sum; chmod 0755 /usr/local/sbin/sha256sum
