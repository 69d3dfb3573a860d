# expect: firewall_ufw:ufw
# field: outgoing
ufw default reject outgoing
