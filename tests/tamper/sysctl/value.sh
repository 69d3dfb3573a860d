# expect: sysctl:net.ipv4.conf.all.log_martians
# field: value
echo 0 >/proc/sys/net/ipv4/conf/all/log_martians
