# expect: docker_container:tamper-offline
# field: image
# The name moves to another image; the container still runs the old one.
docker create --name tamper-other tamper:1
docker commit -m "$(date +%s.%N)" tamper-other tamper:1
docker rm tamper-other
