# expect: docker_image:tamper/rootfs:1
docker image rm tamper/rootfs:1
