# expect: journald:99-rempart
# field: settings.SystemMaxUse
sed -i s/SystemMaxUse=64M/SystemMaxUse=4G/ /etc/systemd/journald.conf.d/99-rempart.conf
