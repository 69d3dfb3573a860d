# expect: postgres_database:rp app
# restore: rm /usr/local/sbin/psql
printf '#!/bin/sh\necho all is well\n' > /usr/local/sbin/psql; chmod 0755 /usr/local/sbin/psql
