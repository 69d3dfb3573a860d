# expect: logrotate:tamper
# field: content
sed -i 's/maxage 30/maxage 3/' /etc/logrotate.d/tamper
