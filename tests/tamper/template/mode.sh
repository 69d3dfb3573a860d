# expect: template:/etc/rp-tamper.conf
# field: mode
chmod 0644 /etc/rp-tamper.conf
