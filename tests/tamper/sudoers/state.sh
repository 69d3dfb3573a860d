# expect: sudoers:rp-gone
# field: state
echo 'games ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/rp-gone; chmod 0440 /etc/sudoers.d/rp-gone
