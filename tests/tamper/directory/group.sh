# expect: directory:/srv/rp-tamper
# field: group
chgrp users /srv/rp-tamper
