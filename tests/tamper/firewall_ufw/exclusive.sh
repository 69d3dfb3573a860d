# expect: firewall_ufw:ufw
# field: extra_rules
ufw allow proto tcp from 203.0.113.9 to any port 4444 comment 'in the way'
ufw allow WWW || :
ufw route deny in on lo from fd00::7
