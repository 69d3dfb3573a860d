# expect: apt_repository:rp-ours
# field: key
rm /etc/apt/keyrings/rp-ours.asc
