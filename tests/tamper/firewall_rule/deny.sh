# expect: firewall_rule:deny 11434/tcp
# field: action
ufw allow 11434/tcp
