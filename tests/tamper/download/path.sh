# expect: download:/srv/small $(id)
# field: path
rm '/srv/small $(id)'
