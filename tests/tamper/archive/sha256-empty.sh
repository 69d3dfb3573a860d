# expect: archive:/srv/things
# field: sha256
rm -r /srv/things; mkdir /srv/things
