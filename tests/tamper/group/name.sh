# expect: group:rp-more
# field: name
groupdel rp-more
