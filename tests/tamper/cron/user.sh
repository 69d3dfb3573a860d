# expect: cron:rp-tamper
# field: content
sed -i 's/ daemon / root /' /etc/cron.d/rp-tamper
