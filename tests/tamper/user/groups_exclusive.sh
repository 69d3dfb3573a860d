# expect: user:rp-gw
# field: groups
gpasswd -a rp-gw sudo
