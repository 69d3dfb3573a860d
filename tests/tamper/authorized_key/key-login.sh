# expect: authorized_key:admin SHA256:Gsd1A8UfPBZj4DbM6Xaq6ww6AJHpSaL5gpOlIW9y9Ls
# field: key
sed -i '/anna@home/d' /home/admin/.ssh/authorized_keys
