# expect: firewall_rule:reject out 25/tcp
# field: action
ufw deny out 25/tcp
