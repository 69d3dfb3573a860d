# expect: squid:/etc/squid/squid.conf
# field: content
sed -i '/^request_header_max_size/d' /etc/squid/squid.conf
