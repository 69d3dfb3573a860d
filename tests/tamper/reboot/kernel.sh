# expect: reboot:host
# field: reboot_needed
# A newer one that is gone after the reboot, as if it ran.
mount -t tmpfs tmpfs /boot
running=$(uname -r)
touch "/boot/vmlinuz-99.9.9-9-${running##*[0-9]-}"
