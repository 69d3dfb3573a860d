# expect: apt_unattended_upgrades:unattended-upgrades
# field: never
sed -i '/Package-Blacklist:: "linux/d' /etc/apt/apt.conf.d/99rempart-unattended-upgrades
