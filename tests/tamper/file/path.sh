# expect: file:/etc/rp-tamper
# field: path
rm /etc/rp-tamper
