# expect: user:rp-gw
# field: uid
sed -i 's/^\(rp-gw:[^:]*\):471:/\1:472:/' /etc/passwd
