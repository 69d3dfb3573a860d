# expect: postgres_setting:work_mem
# restore: rm /usr/local/sbin/psql
printf '#!/bin/sh\necho "psql: error: Input/output error" >&2; exit 3\n' > /usr/local/sbin/psql; chmod 0755 /usr/local/sbin/psql
