# expect: logrotate:tamper
# field: content
sed -i 's/^  compress/  nocompress/' /etc/logrotate.d/tamper
