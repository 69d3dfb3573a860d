# expect: mount:/srv/tamper
# field: fstab
sed -i '\:/srv/tamper:d' /etc/fstab
