# expect: file:/etc/rp-gone
# field: state
echo back >/etc/rp-gone
