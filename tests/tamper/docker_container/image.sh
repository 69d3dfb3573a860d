# expect: docker_container:tamper-offline
# field: image
# The name moves to another image; the container still runs the old one.
docker tag tamper:2 tamper:1
