# expect: apt_repository:rp-ours
# field: sources
# Malformed now: a path has none.
echo "Components: main" >> /etc/apt/sources.list.d/rp-ours.sources
