# expect: systemd_timer:tamper
# field: active
systemctl stop tamper.timer
