# expect: template:/etc/rp-gone.conf
# field: state
echo back >/etc/rp-gone.conf
