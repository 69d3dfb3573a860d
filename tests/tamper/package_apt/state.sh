# expect: package_apt:sl
# field: state
DEBIAN_FRONTEND=noninteractive apt-get -q -y install sl
