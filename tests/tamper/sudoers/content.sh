# expect: sudoers:rp-tamper
# field: content
echo 'games ALL=(ALL) NOPASSWD: ALL' >> /etc/sudoers.d/rp-tamper
