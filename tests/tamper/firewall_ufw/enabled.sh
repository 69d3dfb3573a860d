# expect: firewall_ufw:ufw
# field: enabled
ufw disable
