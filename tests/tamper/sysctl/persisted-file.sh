# expect: sysctl:net.ipv4.conf.all.log_martians
# field: persisted
rm /etc/sysctl.d/99-rempart-net.ipv4.conf.all.log_martians.conf
