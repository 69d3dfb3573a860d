# expect: file:/etc/rp-tamper
# field: group
chgrp users /etc/rp-tamper
