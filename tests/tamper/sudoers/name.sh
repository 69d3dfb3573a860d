# expect: sudoers:rp-tamper
# field: name
mv /etc/sudoers.d/rp-tamper /etc/sudoers.d/rp-other; rm /etc/sudoers.d/rp-other
