# expect: symlink:/srv/rp-link
# field: owner
chown -h nobody /srv/rp-link
