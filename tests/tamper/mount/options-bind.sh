# expect: mount:/srv/bound
# field: options
mount -o remount,bind,rw /srv/bound
