# expect: systemd_credential:tamper
# field: content
echo junk > /etc/credstore.encrypted/tamper
