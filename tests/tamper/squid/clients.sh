# expect: squid:/etc/squid/squid.conf
# field: content
sed -i 's|^acl rempart_clients src 192.0.2.0/24$|acl rempart_clients src all|' /etc/squid/squid.conf
systemctl reload squid
