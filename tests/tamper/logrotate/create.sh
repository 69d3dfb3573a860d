# expect: logrotate:tamper
# field: content
sed -i 's/create 0640/create 0666/' /etc/logrotate.d/tamper
