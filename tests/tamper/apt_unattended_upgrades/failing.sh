# expect: apt_unattended_upgrades:unattended-upgrades
# restore: rm /usr/local/sbin/apt-config
printf '#!/bin/sh\necho "E: Input/output error" >&2; exit 100\n' > /usr/local/sbin/apt-config; chmod 0755 /usr/local/sbin/apt-config
