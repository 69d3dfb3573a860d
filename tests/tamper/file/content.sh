# expect: file:/etc/rp-tamper
# field: content
echo third >>/etc/rp-tamper
