# expect: group:rp-more
# field: members.backup
gpasswd -d backup rp-more
