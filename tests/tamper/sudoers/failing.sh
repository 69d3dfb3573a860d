# expect: sudoers:rp-tamper
# restore: rm /usr/local/sbin/grep
printf '#!/bin/sh\necho "grep: memory exhausted" >&2\nexit 2\n' >/usr/local/sbin/grep && chmod 0755 /usr/local/sbin/grep
