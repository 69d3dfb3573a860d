# expect: squid:/etc/squid/squid.conf
# field: content
sed -i 's/^access_log .*/access_log none/' /etc/squid/squid.conf
