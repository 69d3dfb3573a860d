# expect: authorized_key:rp-berta keys
# field: keys
sed -i '1d' /home/rp-berta/.ssh/authorized_keys
