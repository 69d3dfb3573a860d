# expect: download:/srv/unwanted
# field: state
echo here > /srv/unwanted
