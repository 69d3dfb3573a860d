# expect: sysctl:net.ipv4.conf.all.log_martians
# field: overridden_by
# Where ufw is on, it reads a file of its own at boot, after systemd-sysctl.
mkdir -p /etc/ufw
echo ENABLED=yes > /etc/ufw/ufw.conf
echo 'IPT_SYSCTL="/etc/ufw/sysctl.conf"' > /etc/default/ufw
printf '# a comment\nnet/ipv4/conf/all/log_martians=0\n' > /etc/ufw/sysctl.conf
