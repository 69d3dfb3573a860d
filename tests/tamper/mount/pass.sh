# expect: mount:/srv/tamper
# field: fstab
sed -i '\:/srv/tamper:s/0 0$/0 2/' /etc/fstab
