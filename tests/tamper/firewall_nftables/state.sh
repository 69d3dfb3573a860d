# expect: firewall_nftables:rempart
# field: file
rm /etc/rempart.nft
