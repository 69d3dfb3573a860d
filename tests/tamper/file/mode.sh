# expect: file:/etc/rp-tamper
# field: mode
chmod 4755 /etc/rp-tamper
