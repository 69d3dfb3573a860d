# expect: systemd_credential:tamper-gone
# field: state
printf x > /etc/credstore.encrypted/tamper-gone
