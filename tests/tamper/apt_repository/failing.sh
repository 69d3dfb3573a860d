# expect: apt_repository:rp-ours
# restore: rm /usr/local/sbin/apt-get
printf '#!/bin/sh\necho "E: Input/output error" >&2; exit 100\n' > /usr/local/sbin/apt-get; chmod 0755 /usr/local/sbin/apt-get
