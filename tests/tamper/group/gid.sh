# expect: group:rp-team
# field: gid
groupmod -g 4701 rp-team
