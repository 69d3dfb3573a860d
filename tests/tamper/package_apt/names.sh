# expect: package_apt:tree,ed
# field: names.tree
dpkg --force-hold --purge tree
