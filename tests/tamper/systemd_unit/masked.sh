# expect: systemd_unit:apt-daily.timer
# field: masked
rm /etc/systemd/system/apt-daily.timer
systemctl daemon-reload
