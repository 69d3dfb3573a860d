# expect: auditd:50-tamper
# field: content
sed -i /passwd/d /etc/audit/rules.d/50-tamper.rules
