# expect: firewall_rule:limit 2222/tcp from 192.0.2.7, 192.0.2.8 to 192.0.2.1
# field: from
# A rule to another address is another rule for ufw: the one from this source is missing.
ufw --force delete limit proto tcp from 192.0.2.8 to 192.0.2.1 port 2222
ufw limit proto tcp from 192.0.2.8 to any port 2222
