# expect: systemd_timer:tamper
# field: enabled
# By hand, so that systemd's cache still says `enabled`.
rm /etc/systemd/system/timers.target.wants/tamper.timer
