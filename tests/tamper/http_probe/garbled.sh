# expect: http_probe:the page
# restore: rm /usr/local/sbin/perl
printf '#!/bin/sh\necho "<html>bogus: 7"\necho\necho "\\001"\n' >/usr/local/sbin/perl && chmod 0755 /usr/local/sbin/perl
