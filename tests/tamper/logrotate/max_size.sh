# expect: logrotate:tamper
# field: content
sed -i /maxsize/d /etc/logrotate.d/tamper
