# expect: auditd:90-gone
# field: state
echo '-w /etc/x' > /etc/audit/rules.d/90-gone.rules
