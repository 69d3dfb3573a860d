# expect: cron:rp-plain
# field: name
rm /etc/cron.d/rp-plain
