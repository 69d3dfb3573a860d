# expect: systemd_timer:tamper-other
# field: active
systemctl start tamper-other.timer
