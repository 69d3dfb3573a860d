# expect: firewall_nftables:rempart
# field: rules
nft delete table inet rempart
