# expect: template:/etc/rp-tamper.conf
# field: group
chgrp users /etc/rp-tamper.conf
