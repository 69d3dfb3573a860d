# expect: firewall_nftables:rempart
# field: file
# No field of the struct: what the next boot loads.
sed -i 's/policy drop/policy accept/' /etc/rempart.nft
