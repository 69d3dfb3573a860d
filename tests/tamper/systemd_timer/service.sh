# expect: systemd_timer:tamper
# field: service
sed -i s:/bin/true:/bin/false: /etc/systemd/system/tamper.service
