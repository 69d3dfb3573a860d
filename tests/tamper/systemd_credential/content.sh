# expect: systemd_credential:tamper
# field: content
printf other | systemd-creds encrypt --name=tamper - /etc/credstore.encrypted/tamper
chmod 0600 /etc/credstore.encrypted/tamper
