# expect: mount:/srv/bound
# field: source
umount /srv/bound
mkdir -p /srv/other
mount --bind /srv/other /srv/bound
