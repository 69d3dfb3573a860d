# expect: firewall_nftables:rempart
# field: outgoing
nft 'chain inet rempart output { policy drop; }'
