# expect: symlink:/srv/rp-link
# field: target
ln -sfn /etc/shadow /srv/rp-link; chown -h daemon:games /srv/rp-link
