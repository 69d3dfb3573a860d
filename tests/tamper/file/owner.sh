# expect: file:/etc/rp-tamper
# field: owner
chown daemon /etc/rp-tamper
