# expect: line:/etc/rp-made block ; users
# field: content
sed -i s/two/three/ /etc/rp-made; printf "others\n" >> /etc/rp-made
