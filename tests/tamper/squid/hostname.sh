# expect: squid:/etc/squid/squid.conf
# field: content
sed -i 's/^visible_hostname .*/visible_hostname elsewhere/' /etc/squid/squid.conf
