# expect: systemd_timer:tamper
# field: masked
rm /etc/systemd/system/tamper.timer
systemctl stop tamper.timer
systemctl daemon-reload
systemctl mask tamper.timer
