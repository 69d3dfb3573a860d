# expect: squid:/etc/squid/squid.conf
# field: content
sed -i 's/^acl rempart_domains dstdomain -n .ollama.ai$/acl rempart_domains dstdomain -n .example.org/' /etc/squid/squid.conf
