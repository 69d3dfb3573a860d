# expect: firewall_rule:allow 22/tcp
# field: action
ufw deny 22/tcp
