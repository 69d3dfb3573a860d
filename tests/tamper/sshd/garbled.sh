# expect: sshd:/etc/ssh/sshd_config.d/00-rempart.conf
# restore: rm /usr/local/sbin/sshd
printf '#!/bin/sh\necho "<html>bogus: 7"\necho\necho "\\001"\n' >/usr/local/sbin/sshd && chmod 0755 /usr/local/sbin/sshd
