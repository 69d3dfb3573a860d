# expect: sysctl:net.ipv4.ip_local_port_range
# field: persisted
sed -i s/60000/60999/ /etc/sysctl.d/99-rempart-net.ipv4.ip_local_port_range.conf
