# expect: docker_network:tamper-net
# field: ipv6
docker network rm tamper-net
docker network create --driver=bridge --internal --subnet=10.201.0.0/24 --gateway=10.201.0.9 --opt=com.docker.network.bridge.name=br-tamper --label=managed=rempart tamper-net
