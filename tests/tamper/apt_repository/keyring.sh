# expect: apt_repository:rp-ours
# field: sources
# Whoever, instead of the one key.
sed -i "s|^Signed-By: .*|Trusted: yes|" /etc/apt/sources.list.d/rp-ours.sources
