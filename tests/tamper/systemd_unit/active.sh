# expect: systemd_unit:tamper-unit.service
# field: active
systemctl kill --signal=KILL tamper-unit.service
sleep 1
