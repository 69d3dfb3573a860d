# expect: systemd_timer:tamper
# field: persistent
sed -i s/Persistent=true/Persistent=false/ /etc/systemd/system/tamper.timer
systemctl daemon-reload
