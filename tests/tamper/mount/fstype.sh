# expect: mount:/srv/tamper
# field: fstype
umount /srv/tamper
mount -t ramfs -o noexec,nosuid,nodev tmpfs /srv/tamper
