# expect: systemd_credential:tamper
# field: mode
chmod 0644 /etc/credstore.encrypted/tamper
