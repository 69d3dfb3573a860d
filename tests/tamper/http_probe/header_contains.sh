# expect: http_probe:the page
# field: header_contains.content-type
sed -i 's#text/plain#text/html#' /srv/rp-web.answer
