# expect: apt_unattended_upgrades:unattended-upgrades
# field: reboot
sed -i '/Automatic-Reboot "/s/true/false/' /etc/apt/apt.conf.d/99rempart-unattended-upgrades
