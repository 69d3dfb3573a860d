# expect: docker_image:tamper/rootfs:1
# field: pin
# The same files, with nothing changed.
docker import /srv/images/rootfs.tar tamper/rootfs:1
