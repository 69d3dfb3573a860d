# expect: apt_unattended_upgrades:unattended-upgrades
# field: mail
sed -i '/Mail "/d' /etc/apt/apt.conf.d/99rempart-unattended-upgrades
