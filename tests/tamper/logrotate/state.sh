# expect: logrotate:tamper-gone
# field: state
printf '/var/log/gone {\n}\n' > /etc/logrotate.d/tamper-gone
