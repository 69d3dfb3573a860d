# expect: docker_image:tamper/tiny:1
# field: id
printf x >/tmp/other && tar -C /tmp -cf - other | docker import - tamper/tiny:1
