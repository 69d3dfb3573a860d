# expect: authorized_key:rp-anna SHA256:C4nW7NfuqPNmsT9SeEdBk3BUs1ODWSYS+FHF3ObajAg
# field: times
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPKdLFBbihU6f2Wsfa08BP/IDYhTPXITWPFOHxGzhW98' >> /home/rp-anna/.ssh/authorized_keys
