# expect: apt_repository:rp-ours
# field: sources
sed -i "s|^URIs: .*|URIs: file:/srv/other|" /etc/apt/sources.list.d/rp-ours.sources
