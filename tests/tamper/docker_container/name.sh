# expect: docker_container:tamper-bridge
docker rm --force tamper-bridge
