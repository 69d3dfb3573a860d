# expect: firewall_nftables:rempart
# field: base_rules
# No field of the struct: without it, packets of no connection pass.
nft delete rule inet rempart input handle "$(nft -a list chain inet rempart input | sed -n 's/.*ct state invalid.*handle //p')"
