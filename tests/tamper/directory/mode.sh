# expect: directory:/srv/rp-tamper
# field: mode
chmod g-s,o+rwx /srv/rp-tamper
