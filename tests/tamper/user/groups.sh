# expect: user:rp-ann
# field: groups.users
gpasswd -d rp-ann users
