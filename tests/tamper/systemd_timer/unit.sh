# expect: systemd_timer:tamper-other
# field: unit
sed -i s/Unit=systemd-tmpfiles-clean/Unit=systemd-pstore/ /etc/systemd/system/tamper-other.timer
systemctl daemon-reload
