# expect: apt_repository:rp-ours
# field: sources
rm /etc/apt/sources.list.d/rp-ours.sources
