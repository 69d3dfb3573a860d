# expect: cron:rp-gone
# field: state
echo "@daily root true" > /etc/cron.d/rp-gone
