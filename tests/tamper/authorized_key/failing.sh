# expect: authorized_key:rp-anna SHA256:C4nW7NfuqPNmsT9SeEdBk3BUs1ODWSYS+FHF3ObajAg
# restore: rm -f /usr/local/sbin/getent
printf '#!/bin/sh\nexit 1\n' > /usr/local/sbin/getent; chmod 755 /usr/local/sbin/getent
