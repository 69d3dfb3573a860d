# expect: logrotate:tamper
# field: content
sed -i s/daily/yearly/ /etc/logrotate.d/tamper
