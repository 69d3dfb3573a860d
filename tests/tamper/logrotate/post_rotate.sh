# expect: logrotate:tamper
# field: content
sed -i 's:^true:touch /x:' /etc/logrotate.d/tamper
