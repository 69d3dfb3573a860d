# expect: squid:/etc/squid/squid.conf
# field: listening
sed -i '/^http_port 127.0.0.1:3129$/d' /etc/squid/squid.conf
systemctl reload squid
sleep 1
