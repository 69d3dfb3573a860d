# expect: authorized_key:rp-berta keys
# field: keys
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6KZjmlLJCkncLbi/s8hxz2LhjGaB4TmZuC5ubZq+CV intruder' >> /home/rp-berta/.ssh/authorized_keys
