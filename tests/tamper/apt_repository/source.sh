# expect: apt_repository:rp-ours
# field: key
cat /usr/share/keyrings/debian-archive-keyring.gpg > /etc/apt/keyrings/rp-ours.asc
