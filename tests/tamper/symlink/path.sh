# expect: symlink:/srv/rp-link
# field: path
rm /srv/rp-link
