# expect: firewall_nftables:rempart
# field: rules
nft delete rule inet rempart input handle "$(nft -a list chain inet rempart input | sed -n 's/.*ip saddr 10.*dport 11434.*handle //p')"
