# expect: systemd_unit:tamper-unit.service
# field: restart_pending
# The same text again: only the time tells that the process has not read it.
printf 'NAPS=1000\n' > /etc/tamper-unit.env
