# expect: firewall_ufw:ufw
# field: logging
ufw logging high
