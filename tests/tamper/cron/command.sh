# expect: cron:rp-tamper
# field: content
sed -i 's#printf#/tmp/x; printf#' /etc/cron.d/rp-tamper
