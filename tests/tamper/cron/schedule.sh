# expect: cron:rp-tamper
# field: content
sed -i 's#^\*/5#*#' /etc/cron.d/rp-tamper
