# expect: sshd:/etc/ssh/sshd_config.d/00-rempart.conf
# restore: rm /usr/local/sbin/sshd
printf '#!/bin/sh\necho "sshd: internal error" >&2\nexit 4\n' >/usr/local/sbin/sshd && chmod 0755 /usr/local/sbin/sshd
