# expect: package_apt:bc
# field: names.bc
dpkg --purge bc
