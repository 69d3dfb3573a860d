# expect: auditd:50-tamper
# field: not_loaded
sed -i /settimeofday/d /run/rp-rules
