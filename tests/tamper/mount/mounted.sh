# expect: mount:/srv/tamper
# field: mounted
umount /srv/tamper
