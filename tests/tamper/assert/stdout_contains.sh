# expect: assert:the file
# field: stdout_contains
echo all is lost >/srv/rp-assert
