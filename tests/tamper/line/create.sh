# expect: line:/etc/rp-made block ; users
# field: create
rm /etc/rp-made
