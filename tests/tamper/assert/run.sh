# expect: assert:the file
# field: status
chmod 0600 /srv
