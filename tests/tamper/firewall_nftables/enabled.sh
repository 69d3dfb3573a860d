# expect: firewall_nftables:rempart
# field: enabled
# No field of the struct: the next boot has no firewall.
systemctl disable rempart-nftables.service
