# expect: user:rp-gone
# field: state
useradd --no-create-home rp-gone
