# expect: auditd:50-tamper
# field: mode
chmod 0644 /etc/audit/rules.d/50-tamper.rules
