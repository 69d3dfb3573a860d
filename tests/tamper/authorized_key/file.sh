# expect: authorized_key:rp-anna SHA256:C4nW7NfuqPNmsT9SeEdBk3BUs1ODWSYS+FHF3ObajAg /etc/ssh/rp_keys/anna
# field: file
rm /etc/ssh/rp_keys/anna
