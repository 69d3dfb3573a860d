# expect: sysctl:net.ipv4.conf.all.log_martians
# field: overridden_by
echo 'net/ipv4/conf/all/log_martians = 0' >>/etc/sysctl.conf
