# expect: apt_unattended_upgrades:unattended-upgrades
# field: update_at
rm /etc/systemd/system/apt-daily.timer.d/rempart.conf; systemctl daemon-reload
