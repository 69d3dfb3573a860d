# expect: docker_container:tamper-bridge
# field: ports
docker rm -f tamper-bridge
docker run -d --name tamper-bridge --restart=unless-stopped --network=bridge --publish=18080:80 tamper:1
