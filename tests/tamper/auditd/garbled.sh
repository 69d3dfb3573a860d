# expect: auditd:50-tamper
# restore: mv /usr/local/sbin/auditctl.kept /usr/local/sbin/auditctl
mv /usr/local/sbin/auditctl /usr/local/sbin/auditctl.kept
printf '#!/bin/sh\necho junk\n' > /usr/local/sbin/auditctl
chmod 0755 /usr/local/sbin/auditctl
