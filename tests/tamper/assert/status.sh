# expect: assert:readable
# field: status
chmod 0600 /srv/rp-assert
