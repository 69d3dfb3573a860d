# expect: reboot:host
# field: reboot_needed
touch /run/tamper-boot
