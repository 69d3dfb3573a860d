# expect: docker_network:tamper-net
# field: other
docker network rm tamper-net
docker network create --driver=bridge --internal --ipv6 --attachable --subnet=10.201.0.0/24 --gateway=10.201.0.9 --subnet=fd00:201::/64 --gateway=fd00:201::9 --opt=com.docker.network.bridge.name=br-tamper --label=managed=rempart tamper-net
