# expect: systemd_credential:tamper
# field: content
# The host has another key now, so that nothing of what was encrypted can be read.
rm -f /var/lib/systemd/credential.secret
