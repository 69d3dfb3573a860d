# expect: line:/etc/rp-shared line a	b 'c' \ "$HOME"
# field: line
sed -i "/^a/d" /etc/rp-shared
