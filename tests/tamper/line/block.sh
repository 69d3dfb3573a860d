# expect: line:/etc/rp-made block ; users
# field: block
sed -i "/^;/d" /etc/rp-made
