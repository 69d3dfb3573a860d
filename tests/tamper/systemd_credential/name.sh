# expect: systemd_credential:tamper
# field: content
# Encrypted for another name, which no service may read under this one.
printf 'what nobody sees' | systemd-creds encrypt --name=other - /etc/credstore.encrypted/tamper
chmod 0600 /etc/credstore.encrypted/tamper
