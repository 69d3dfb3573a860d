# expect: firewall_rule:allow 22/tcp from 10.0.0.0/8, fd00::/8 on host0
# field: from
ufw --force delete allow in on host0 log proto tcp from 10.0.0.0/8 to any port 22
ufw allow in on host0 log proto tcp from 10.1.0.0/16 to any port 22 comment administrators
