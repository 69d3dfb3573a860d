# expect: logrotate:tamper
# field: content
sed -i 's:/var/log/tamper/\*:/var/log/other/*:' /etc/logrotate.d/tamper
