# expect: squid:/etc/squid/squid.conf
# field: content
sed -i 's/^acl rempart_tunnels port 443$/acl rempart_tunnels port 22/' /etc/squid/squid.conf
