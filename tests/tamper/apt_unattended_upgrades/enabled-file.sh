# expect: apt_unattended_upgrades:unattended-upgrades
# field: file.mode
chmod 0666 /etc/apt/apt.conf.d/99rempart-unattended-upgrades
