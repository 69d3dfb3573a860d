# expect: authorized_key:rp-anna SHA256:oM/dliWoH5ieqz5OOkqIDDk9GDsHpbr3o6nXxVwacFI
# field: state
echo 'restrict ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnLjvRjLoP1YubEaG7gDjvZucOQoIbLcgADiDt1szs/ mallory' >> /home/rp-anna/.ssh/authorized_keys
