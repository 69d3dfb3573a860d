# expect: line:/etc/rp-shared match ^#?KEY=
# field: line
echo "#KEY=old" >> /etc/rp-shared
