# expect: firewall_nftables:rempart
# field: incoming
nft 'chain inet rempart input { policy accept; }'
