# expect: template:/etc/rp-tamper.conf
# field: owner
chown daemon /etc/rp-tamper.conf
