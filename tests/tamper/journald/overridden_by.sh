# expect: journald:99-rempart
# field: overridden_by
printf '[Journal]\nSystemMaxUse=1G\nStorage = volatile\n' > /etc/systemd/journald.conf.d/zz-local.conf
systemctl restart systemd-journald
