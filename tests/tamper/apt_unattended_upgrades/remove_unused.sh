# expect: apt_unattended_upgrades:unattended-upgrades
# field: remove_unused
sed -i '/Remove-Unused/s/true/false/' /etc/apt/apt.conf.d/99rempart-unattended-upgrades
