# expect: cron:rp-tamper
# field: mode
chmod 0666 /etc/cron.d/rp-tamper
