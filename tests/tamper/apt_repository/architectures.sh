# expect: apt_repository:rp-ours
# field: sources
echo "Architectures: armhf" >> /etc/apt/sources.list.d/rp-ours.sources
