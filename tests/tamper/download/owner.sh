# expect: download:/srv/small $(id)
# field: owner
chown backup '/srv/small $(id)'
