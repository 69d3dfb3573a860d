# expect: logrotate:tamper
# field: mode
chmod 0666 /etc/logrotate.d/tamper
