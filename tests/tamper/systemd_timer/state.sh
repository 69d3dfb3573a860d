# expect: systemd_timer:tamper-gone
# field: state
printf '[Timer]\nOnCalendar=hourly\n' > /etc/systemd/system/tamper-gone.timer
printf '# Comes with its timer, by rempart.\n[Service]\nExecStart=/bin/true\n' > /etc/systemd/system/tamper-gone.service
systemctl daemon-reload
systemctl start tamper-gone.timer
