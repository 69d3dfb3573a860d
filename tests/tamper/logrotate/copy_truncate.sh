# expect: logrotate:tamper-copied
# field: content
sed -i s/copytruncate/nocopytruncate/ /etc/logrotate.d/tamper-copied
