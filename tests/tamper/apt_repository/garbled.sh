# expect: apt_repository:rp-ours
# restore: rm /usr/local/sbin/apt-get
printf '#!/bin/sh\necho all is well\n' > /usr/local/sbin/apt-get; chmod 0755 /usr/local/sbin/apt-get
