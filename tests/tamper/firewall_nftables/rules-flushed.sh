# expect: firewall_nftables:rempart
# field: rules
nft flush ruleset
