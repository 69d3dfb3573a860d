# expect: systemd_timer:tamper
# field: scheduled
sed -i '/^OnCalendar=/d; s/^Persistent=.*/OnCalendar=2020-01-01/' /etc/systemd/system/tamper.timer
systemctl daemon-reload
systemctl restart tamper.timer
