# expect: directory:/srv/rp-tamper
# field: owner
chown daemon /srv/rp-tamper
