# expect: docker_container:tamper-offline
# field: cpus
docker update --cpus=1 tamper-offline
