# expect: journald:99-rempart
# field: state
rm /etc/systemd/journald.conf.d/99-rempart.conf
