# expect: journald:99-rempart
# field: mode
chmod 0666 /etc/systemd/journald.conf.d/99-rempart.conf
