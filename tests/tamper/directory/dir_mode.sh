# expect: directory:/srv/rp-tree
# field: dir_mode
chmod 0777 /srv/rp-tree/a/b
