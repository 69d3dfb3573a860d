# expect: firewall_rule:reject out 25/tcp
# field: from
# A rule for another direction is another rule for ufw: of this one, only the IPv4 half is left.
ufw --force delete reject out proto tcp from ::/0 to ::/0 port 25
ufw reject proto tcp from ::/0 to ::/0 port 25
