# expect: firewall_rule:limit 2222/tcp from 192.0.2.7, 192.0.2.8 to 192.0.2.1
# field: action
ufw allow proto tcp from 192.0.2.7 to 192.0.2.1 port 2222
