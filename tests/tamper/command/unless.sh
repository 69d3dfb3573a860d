# expect: command:set the zone
# field: unless
echo UTC >/etc/rp-zone
