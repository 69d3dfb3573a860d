# expect: archive:/opt/the tool
# field: group
chgrp audio '/opt/the tool'
