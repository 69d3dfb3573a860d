# expect: directory:/srv/rp-tree
# field: recurse
chown -h root /srv/rp-tree/a/link
