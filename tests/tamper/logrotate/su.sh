# expect: logrotate:tamper
# field: content
sed -i 's/su root adm/su root root/' /etc/logrotate.d/tamper
