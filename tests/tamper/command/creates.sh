# expect: command:make the marker
# field: creates
rm /var/lib/misc/rp-marker
