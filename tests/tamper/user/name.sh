# expect: user:rp-ann
# field: name
userdel rp-ann
