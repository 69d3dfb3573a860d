# expect: logrotate:tamper
# field: refused
# The file is as it was, but logrotate passes over what others may write to.
chmod 0664 /etc/logrotate.d/tamper
