# expect: file:/etc/rp-taken
# field: content
: >/etc/rp-taken
