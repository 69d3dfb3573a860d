# expect: docker_compose:tamper in /srv/tamper
# restore: rm /usr/local/sbin/docker
printf '#!/bin/sh\necho "docker: internal error" >&2\nexit 4\n' >/usr/local/sbin/docker && chmod 0755 /usr/local/sbin/docker
