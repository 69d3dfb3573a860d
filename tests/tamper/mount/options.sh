# expect: mount:/srv/tamper
# field: options
mount -o remount,exec,size=4M tmpfs /srv/tamper
