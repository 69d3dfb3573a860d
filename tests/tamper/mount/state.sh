# expect: mount:/srv/gone
# field: state
mkdir -p /srv/gone
mount -t tmpfs tmpfs /srv/gone
echo 'tmpfs /srv/gone tmpfs defaults 0 0' >> /etc/fstab
