# expect: docker_image:tamper/tiny:1
# field: pin
# What it came of is not known any more.
rm "/var/lib/rempart/images/$(printf %s tamper/tiny:1 | sha256sum | cut -d ' ' -f 1)"
