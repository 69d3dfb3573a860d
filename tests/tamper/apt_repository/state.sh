# expect: apt_repository:rp-gone
# field: state
cp /etc/apt/keyrings/rp-ours.asc /etc/apt/keyrings/rp-gone.asc
