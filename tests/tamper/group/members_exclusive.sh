# expect: group:rp-team
# field: members
gpasswd -a nobody rp-team
