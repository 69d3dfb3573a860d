# expect: user:rp-gw
# field: password_locked
echo 'rp-gw:let me in' | chpasswd
