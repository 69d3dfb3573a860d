# expect: template:/etc/rp-tamper.conf
# field: to
rm /etc/rp-tamper.conf
