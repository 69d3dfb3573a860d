# expect: apt_repository:rp-ours
# field: sources
sed -i "s|^Suites: .*|Suites: other/|" /etc/apt/sources.list.d/rp-ours.sources
