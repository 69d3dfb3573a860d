# expect: logrotate:tamper
# field: content
sed -i /dateext/d /etc/logrotate.d/tamper
