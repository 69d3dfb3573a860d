# expect: group:rp-gone
# field: state
groupadd rp-gone
