# expect: user:rp-gw
# field: group
usermod -g games rp-gw
