# expect: authorized_key:rp-anna SHA256:Gsd1A8UfPBZj4DbM6Xaq6ww6AJHpSaL5gpOlIW9y9Ls
# field: file.folder
chmod 0777 /home/rp-anna/.ssh
