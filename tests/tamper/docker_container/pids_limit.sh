# expect: docker_container:tamper-offline
# field: pids_limit
docker update --pids-limit=500 tamper-offline
