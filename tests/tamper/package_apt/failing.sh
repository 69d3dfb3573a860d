# expect: package_apt:bc
# restore: rm /usr/local/sbin/dpkg-query
printf '#!/bin/sh\necho "dpkg-query: internal error" >&2\nexit 4\n' >/usr/local/sbin/dpkg-query && chmod 0755 /usr/local/sbin/dpkg-query
