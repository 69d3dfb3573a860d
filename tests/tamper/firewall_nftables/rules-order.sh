# expect: firewall_nftables:rempart
# field: rules
# Of several rules that fit, the first one decides.
nft add rule inet rempart input tcp dport 22 accept
nft delete rule inet rempart input handle "$(nft -a list chain inet rempart input | sed -n 's/.*dport 22 accept.*handle //p' | head -n 1)"
