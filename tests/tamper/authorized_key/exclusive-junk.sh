# expect: authorized_key:rp-berta keys
# field: keys
echo 'what is this' >> /home/rp-berta/.ssh/authorized_keys
