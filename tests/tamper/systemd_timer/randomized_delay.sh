# expect: systemd_timer:tamper
# field: randomized_delay
sed -i s/RandomizedDelaySec=90/RandomizedDelaySec=0/ /etc/systemd/system/tamper.timer
systemctl daemon-reload
