# expect: squid:/etc/squid/squid.conf
# field: active
systemctl disable --now --quiet squid
