# expect: firewall_ufw:ufw
# field: routed
ufw default allow routed
