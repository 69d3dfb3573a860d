# expect: sudoers:rp-tamper
# field: mode
chmod 0640 /etc/sudoers.d/rp-tamper
