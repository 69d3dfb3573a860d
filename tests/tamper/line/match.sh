# expect: line:/etc/rp-shared match ^#?KEY=
# field: line
sed -i "s/^KEY=.*/KEY=other/" /etc/rp-shared
