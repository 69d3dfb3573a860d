# expect: docker_image:tamper/rootfs:1
# field: interrupted
# As a power loss leaves it, with the first name that the image had.
try=/var/lib/rempart/images/$(printf %s tamper/rootfs:1 | sha256sum | cut -d ' ' -f 1)
docker tag tamper/rootfs:1 "rempart-new:${try##*/}" && touch "$try.try"
