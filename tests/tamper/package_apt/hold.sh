# expect: package_apt:tree,ed
# field: hold.tree
echo 'tree install' | dpkg --set-selections
