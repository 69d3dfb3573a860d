# expect: docker_compose:tamper in /srv/tamper
# restore: rm /usr/local/sbin/docker
printf '#!/bin/sh\necho "<html>bogus: 7"\necho\necho "\\001"\n' >/usr/local/sbin/docker && chmod 0755 /usr/local/sbin/docker
