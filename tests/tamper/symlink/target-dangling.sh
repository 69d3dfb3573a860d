# expect: symlink:/srv/rp it's
# field: target
ln -sfn '../no such file' "/srv/rp it's"
