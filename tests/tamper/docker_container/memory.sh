# expect: docker_container:tamper-offline
# field: memory
docker update --memory=128m --memory-swap=256m tamper-offline
