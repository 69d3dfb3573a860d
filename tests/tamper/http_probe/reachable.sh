# expect: http_probe:nothing else
# field: reachable
systemd-run --quiet --unit=rp-extra perl -e 'use Socket; socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1); bind(S, pack_sockaddr_in(8081, INADDR_ANY)) or die; listen(S, 5); sleep 86400'
for try in 1 2 3 4 5 6 7 8 9 10; do
  grep -q ':1F91 00000000:0000 0A' /proc/net/tcp && break
  sleep 0.2
done
