# expect: journald:tamper-gone
# field: state
printf '[Journal]\nSeal=no\n' > /etc/systemd/journald.conf.d/tamper-gone.conf
