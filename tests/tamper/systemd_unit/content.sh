# expect: systemd_unit:tamper-unit.service
# field: content
sed -i 's/sleep 1000/sleep 2000/' /etc/systemd/system/tamper-unit.service
