# expect: apt_repository:rp-ours
# field: sources.mode
chmod 0666 /etc/apt/sources.list.d/rp-ours.sources
