# expect: firewall_ufw:ufw
# field: incoming
ufw default allow incoming
