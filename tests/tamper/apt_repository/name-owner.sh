# expect: apt_repository:rp-ours
# field: key.owner
chown games /etc/apt/keyrings/rp-ours.asc
