# expect: authorized_key:rp-anna SHA256:Gsd1A8UfPBZj4DbM6Xaq6ww6AJHpSaL5gpOlIW9y9Ls
# field: from
sed -i 's#192.0.2.0/24#0.0.0.0/0#' /home/rp-anna/.ssh/authorized_keys
