# expect: sysctl:net.ipv4.conf.all.log_martians
# field: persisted.mode
chmod 0666 /etc/sysctl.d/99-rempart-net.ipv4.conf.all.log_martians.conf
