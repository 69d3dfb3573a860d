# expect: directory:/srv/rp-tree
# field: recurse
touch /srv/rp-tree/a/new; chown root:root /srv/rp-tree/a/new; chmod 0640 /srv/rp-tree/a/new
