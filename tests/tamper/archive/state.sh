# expect: archive:/opt/unwanted
# field: state
cp -a /srv/things /opt/unwanted
