# expect: docker_container:tamper-offline
# field: state
docker stop --time=0 tamper-offline
