# expect: user:rp-gw
# field: comment
chfn -f Somebody rp-gw
