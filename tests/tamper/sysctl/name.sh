# expect: sysctl:net.ipv4.ip_local_port_range
# field: value
echo 1024 60999 >/proc/sys/net/ipv4/ip_local_port_range
