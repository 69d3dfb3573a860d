# expect: assert:the file
# restore: rm /usr/local/sbin/systemd-run
printf '#!/bin/sh\necho "systemd-run: internal error" >&2\nexit 4\n' >/usr/local/sbin/systemd-run && chmod 0755 /usr/local/sbin/systemd-run
