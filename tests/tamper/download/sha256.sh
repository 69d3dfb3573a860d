# expect: download:/srv/small $(id)
# field: sha256
printf 'small!' > '/srv/small $(id)'
