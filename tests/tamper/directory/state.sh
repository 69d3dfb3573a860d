# expect: directory:/srv/rp-gone
# field: state
mkdir /srv/rp-gone
