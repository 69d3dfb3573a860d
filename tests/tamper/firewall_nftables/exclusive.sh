# expect: firewall_nftables:rempart
# field: extra_rules
nft insert rule inet rempart input tcp dport 4444 accept
nft add set inet rempart others '{ type ipv4_addr; elements = { 192.0.2.1, 192.0.2.9 }; }'
nft add chain inet rempart more
