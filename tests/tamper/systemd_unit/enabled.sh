# expect: systemd_unit:tamper-unit.service
# field: enabled
# By hand, so that systemd's cache still says `enabled`.
rm /etc/systemd/system/multi-user.target.wants/tamper-unit.service
