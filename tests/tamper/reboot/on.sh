# expect: reboot:host
# field: reboot_needed
touch /etc/tamper-boot.conf
