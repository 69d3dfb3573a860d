# expect: firewall_ufw:ufw
# field: enabled.at_boot
systemctl disable ufw.service
