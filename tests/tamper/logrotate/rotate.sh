# expect: logrotate:tamper
# field: content
sed -i 's/rotate 14/rotate 1/' /etc/logrotate.d/tamper
