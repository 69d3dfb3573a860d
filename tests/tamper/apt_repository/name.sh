# expect: apt_repository:rp-ours
# field: name
rm /etc/apt/sources.list.d/rp-ours.sources
