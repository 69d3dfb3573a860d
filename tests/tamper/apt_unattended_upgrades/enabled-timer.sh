# expect: apt_unattended_upgrades:unattended-upgrades
# field: enabled.upgrade_timer
systemctl disable -q --now apt-daily-upgrade.timer
