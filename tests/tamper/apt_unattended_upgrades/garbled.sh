# expect: apt_unattended_upgrades:unattended-upgrades
# restore: rm /usr/local/sbin/apt-config
printf '#!/bin/sh\necho all is well\n' > /usr/local/sbin/apt-config; chmod 0755 /usr/local/sbin/apt-config
