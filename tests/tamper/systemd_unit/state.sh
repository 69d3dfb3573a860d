# expect: systemd_unit:tamper-gone.service
# field: state
printf '[Service]\nExecStart=/bin/sleep 1000\n' > /etc/systemd/system/tamper-gone.service
systemctl daemon-reload
systemctl start tamper-gone.service
