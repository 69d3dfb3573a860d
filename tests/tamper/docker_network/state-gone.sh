# expect: docker_network:tamper-gone
docker network create tamper-gone
