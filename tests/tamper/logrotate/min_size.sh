# expect: logrotate:tamper
# field: content
sed -i 's/minsize 1024/minsize 9G/' /etc/logrotate.d/tamper
