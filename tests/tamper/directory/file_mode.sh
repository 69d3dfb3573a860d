# expect: directory:/srv/rp-tree
# field: file_mode
chmod 0666 "/srv/rp-tree/a/it's"
