# expect: firewall_rule:allow 22/tcp from 10.0.0.0/8, fd00::/8 on host0
# field: shadowed_by
# No field of the struct: a rule put before it, after which it never takes effect.
ufw insert 1 deny from 10.0.0.0/8
