# expect: apt_unattended_upgrades:unattended-upgrades
# field: reboot_with_users
sed -i '/WithUsers/s/false/true/' /etc/apt/apt.conf.d/99rempart-unattended-upgrades
