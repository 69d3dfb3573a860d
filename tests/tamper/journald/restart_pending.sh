# expect: journald:99-rempart
# field: restart_pending
touch /etc/systemd/journald.conf
