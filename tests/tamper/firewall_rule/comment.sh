# expect: firewall_rule:allow 22/tcp from 10.0.0.0/8, fd00::/8 on host0
# field: comment
ufw allow in on host0 log proto tcp from fd00::/8 to any port 22 comment somebody
