# expect: firewall_nftables:rempart
# field: active
# No field of the struct: stopped, it takes the table away.
systemctl stop rempart-nftables.service
