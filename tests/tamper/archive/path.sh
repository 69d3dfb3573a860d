# expect: archive:/srv/things
# field: path
rm -r /srv/things
