# expect: logrotate:tamper
# field: content
sed -i 's/delaycompress/nodelaycompress/' /etc/logrotate.d/tamper
