# expect: squid:/etc/squid/squid.conf
# field: content
echo 'acl rempart_ports port 25' >> /etc/squid/squid.conf
