# expect: apt_repository:rp-ours
# field: lists
rm /var/lib/apt/lists/*InRelease
