# expect: logrotate:tamper-copied
# field: content
sed -i s/nomissingok/missingok/ /etc/logrotate.d/tamper-copied
