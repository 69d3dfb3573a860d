# expect: auditd:60-file
# field: not_at_boot
sed -i /shadow/d /etc/audit/audit.rules
