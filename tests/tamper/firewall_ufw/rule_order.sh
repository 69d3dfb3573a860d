# expect: firewall_ufw:ufw
# field: rule_order
# No field of the struct: the declared rules in another order.
ufw --force delete deny 11434/tcp
ufw insert 1 deny 11434/tcp
