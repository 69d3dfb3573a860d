# expect: authorized_key:rp-anna SHA256:C4nW7NfuqPNmsT9SeEdBk3BUs1ODWSYS+FHF3ObajAg
# field: file.owner
chown daemon /home/rp-anna/.ssh/authorized_keys
