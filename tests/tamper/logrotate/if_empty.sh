# expect: logrotate:tamper
# field: content
sed -i s/ifempty/notifempty/ /etc/logrotate.d/tamper
