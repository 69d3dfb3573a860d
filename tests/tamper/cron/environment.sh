# expect: cron:rp-tamper
# field: content
sed -i 's#^PATH=.*#PATH="/tmp"#' /etc/cron.d/rp-tamper
