# expect: mount:/srv/tamper
# field: fstab
sed -i 's/noexec,//' /etc/fstab
