# expect: sysctl:net.ipv4.conf.all.accept_redirects
# field: state
echo 'net.ipv4.conf.all.accept_redirects = 1' >/etc/sysctl.d/99-rempart-net.ipv4.conf.all.accept_redirects.conf
