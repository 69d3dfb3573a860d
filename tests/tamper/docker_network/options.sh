# expect: docker_network:tamper-net
# field: options
docker network rm tamper-net
docker network create --driver=bridge --internal --ipv6 --subnet=10.201.0.0/24 --gateway=10.201.0.9 --subnet=fd00:201::/64 --gateway=fd00:201::9 --opt=com.docker.network.bridge.name=br-hand --label=managed=rempart tamper-net
