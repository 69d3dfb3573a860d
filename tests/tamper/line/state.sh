# expect: line:/etc/rp-shared match ^BAD=
# field: state
printf "BAD=2" >> /etc/rp-shared
