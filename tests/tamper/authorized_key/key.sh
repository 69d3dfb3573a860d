# expect: authorized_key:rp-anna SHA256:Gsd1A8UfPBZj4DbM6Xaq6ww6AJHpSaL5gpOlIW9y9Ls
# field: key
sed -i 's/anna@home/mallory/' /home/rp-anna/.ssh/authorized_keys
