# expect: auditd:50-tamper
# restore: mv /usr/local/sbin/auditctl.kept /usr/local/sbin/auditctl
# What the real one says in a container.
mv /usr/local/sbin/auditctl /usr/local/sbin/auditctl.kept
