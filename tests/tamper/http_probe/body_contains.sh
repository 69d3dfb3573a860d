# expect: http_probe:the page
# field: body_contains
sed -i 's/hello/howdy/' /srv/rp-web.answer
