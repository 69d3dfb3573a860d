# expect: symlink:/srv/rp-link
# field: group
chgrp -h users /srv/rp-link
