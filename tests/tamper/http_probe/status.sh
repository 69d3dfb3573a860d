# expect: http_probe:the page
# field: status
sed -i 's/200 OK/500 Oops/' /srv/rp-web.answer
