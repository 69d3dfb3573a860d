# expect: journald:99-rempart
# restore: rm -f /usr/local/sbin/systemd-analyze
printf '#!/bin/sh\necho "[Journal]"\necho Storage=persistent\n' > /usr/local/sbin/systemd-analyze
chmod 0755 /usr/local/sbin/systemd-analyze
