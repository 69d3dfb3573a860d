# expect: file:/etc/rp-tamper
# field: content
# The same length, and the time of the last change put back.
touch -r /etc/rp-tamper /tmp/when
sed -i 's/second/SECOND/' /etc/rp-tamper
chgrp adm /etc/rp-tamper
touch -r /tmp/when /etc/rp-tamper
rm /tmp/when
