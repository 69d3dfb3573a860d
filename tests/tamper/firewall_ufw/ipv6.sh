# expect: firewall_ufw:ufw
# field: ipv6
sed -i 's/^IPV6=.*/IPV6=no/' /etc/default/ufw
ufw reload
