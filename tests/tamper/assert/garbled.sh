# expect: assert:the file
# restore: rm /usr/local/sbin/systemd-run
printf '#!/bin/sh\necho "<html>bogus: 7"\necho\necho "\\001"\n' >/usr/local/sbin/systemd-run && chmod 0755 /usr/local/sbin/systemd-run
