# expect: docker_image:tamper/gone:1
printf x >/tmp/other && tar -C /tmp -cf - other | docker import - tamper/gone:1
