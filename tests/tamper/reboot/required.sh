# expect: reboot:host
# field: reboot_needed
touch /run/reboot-required
echo linux-image-amd64 > /run/reboot-required.pkgs
