# expect: port_scan:what listens
# restore: rm /usr/local/sbin/perl
printf '#!/bin/sh\necho "perl: internal error" >&2\nexit 4\n' >/usr/local/sbin/perl && chmod 0755 /usr/local/sbin/perl
