# expect: docker_container:tamper-offline
# field: restart
docker update --restart=no tamper-offline
