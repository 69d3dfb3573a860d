# expect: package_apt:bc
# restore: rm /usr/local/sbin/dpkg-query
printf '#!/bin/sh\necho "<html>bogus: 7"\necho\necho "\\001"\n' >/usr/local/sbin/dpkg-query && chmod 0755 /usr/local/sbin/dpkg-query
