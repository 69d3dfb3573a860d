# expect: apt_unattended_upgrades:unattended-upgrades
# field: spread_minutes.upgrade
# Another drop-in, read earlier, and ours without its line.
sed -i /Randomized/d /etc/systemd/system/apt-daily-upgrade.timer.d/rempart.conf; systemctl daemon-reload
