# expect: apt_unattended_upgrades:unattended-upgrades
# field: reboot_at
sed -i 's/04:30/now/' /etc/apt/apt.conf.d/99rempart-unattended-upgrades
