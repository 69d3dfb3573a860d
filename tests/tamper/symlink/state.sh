# expect: symlink:/srv/rp-gone
# field: state
ln -s /etc/motd /srv/rp-gone
