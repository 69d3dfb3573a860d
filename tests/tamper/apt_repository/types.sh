# expect: apt_repository:rp-ours
# field: sources
sed -i "s|^Types: .*|Types: deb deb-src|" /etc/apt/sources.list.d/rp-ours.sources
