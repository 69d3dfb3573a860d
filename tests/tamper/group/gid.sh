# expect: group:rp-team
# field: gid
groupmod -g 4777 rp-team
