# expect: firewall_rule:allow 23/tcp
# field: state
ufw allow 23/tcp
