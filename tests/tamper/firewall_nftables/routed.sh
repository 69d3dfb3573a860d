# expect: firewall_nftables:rempart
# field: routed
nft 'chain inet rempart forward { policy accept; }'
