# expect: user:rp-gw
# field: home
sed -i '/^rp-gw:/s#:/srv/gw:#:/tmp:#' /etc/passwd
