# expect: systemd_timer:tamper
# field: accuracy
sed -i s/AccuracySec=30s/AccuracySec=1h/ /etc/systemd/system/tamper.timer
systemctl daemon-reload
