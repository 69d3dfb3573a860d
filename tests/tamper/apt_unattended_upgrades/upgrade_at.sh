# expect: apt_unattended_upgrades:unattended-upgrades
# field: upgrade_at
sed -i s/Sun/Mon/ /etc/systemd/system/apt-daily-upgrade.timer.d/rempart.conf; systemctl daemon-reload
