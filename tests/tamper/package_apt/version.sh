# expect: package_apt:tree,ed
# field: version.ed
set -e
made=$(mktemp -d)
mkdir "$made/DEBIAN"
chmod 0755 "$made" "$made/DEBIAN"
printf '%s\n' 'Package: ed' 'Version: 0.1-1' 'Architecture: all' 'Maintainer: nobody <nobody@example.org>' \
  'Description: another ed' >"$made/DEBIAN/control"
dpkg-deb --root-owner-group -b "$made" /tmp/other-ed.deb
dpkg --force-hold --force-downgrade -i /tmp/other-ed.deb
echo 'ed hold' | dpkg --set-selections
rm -rf "$made" /tmp/other-ed.deb
