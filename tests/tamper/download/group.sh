# expect: download:/srv/small $(id)
# field: group
chgrp audio '/srv/small $(id)'
