# expect: download:/srv/big
# field: mode
chmod 0666 /srv/big
