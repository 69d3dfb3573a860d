# expect: systemd_timer:tamper
# field: reload_pending
# A second later, or systemd does not see that the file is newer than what it read.
sleep 1
touch /etc/systemd/system/tamper.timer
