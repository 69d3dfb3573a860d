# expect: apt_unattended_upgrades:unattended-upgrades
# field: mail_report
sed -i 's/only-on-error/always/' /etc/apt/apt.conf.d/99rempart-unattended-upgrades
