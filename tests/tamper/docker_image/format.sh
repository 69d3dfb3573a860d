# expect: docker_image:tamper/tiny:1
# field: pin
# The archive as if it were files.
docker import /srv/images/tiny.tar tamper/tiny:1
