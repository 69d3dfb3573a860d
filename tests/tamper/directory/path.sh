# expect: directory:/srv/rp-tamper/inner
# field: path
rmdir /srv/rp-tamper/inner
