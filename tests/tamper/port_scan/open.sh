# expect: port_scan:what listens
# field: open
systemctl stop rp-web.socket
