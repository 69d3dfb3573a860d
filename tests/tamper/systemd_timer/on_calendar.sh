# expect: systemd_timer:tamper
# field: on_calendar
sed -i s/OnCalendar=hourly/OnCalendar=weekly/ /etc/systemd/system/tamper.timer
systemctl daemon-reload
