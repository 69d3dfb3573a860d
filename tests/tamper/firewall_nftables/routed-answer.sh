# expect: firewall_nftables:rempart
# field: base_rules
# No field of the struct: the answer that `reject` gives is a rule of its own.
nft delete rule inet rempart forward handle "$(nft -a list chain inet rempart forward | sed -n 's/.*reject with icmpx.*handle //p')"
