# expect: sudoers:rp-tamper
# field: owner
chown daemon /etc/sudoers.d/rp-tamper; chmod 0440 /etc/sudoers.d/rp-tamper
