# expect: docker_image:tamper/rootfs:1
# field: pin
printf x >/tmp/other && tar -C /tmp -cf - other | docker import - tamper/rootfs:1
