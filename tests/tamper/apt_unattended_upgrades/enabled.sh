# expect: apt_unattended_upgrades:unattended-upgrades
# field: enabled
sed -i '/Periodic::Unattended-Upgrade/s/1/0/' /etc/apt/apt.conf.d/99rempart-unattended-upgrades
