# expect: docker_network:tamper-net
docker network rm tamper-net
