# expect: firewall_nftables:rempart
# field: unit
# No field of the struct: what loads it at the next boot.
sed -i '/^ExecStart=/d' /etc/systemd/system/rempart-nftables.service
systemctl daemon-reload
