# expect: apt_unattended_upgrades:unattended-upgrades
# field: origins
sed -i '/Origins-Pattern::/s/-security//' /etc/apt/apt.conf.d/99rempart-unattended-upgrades
