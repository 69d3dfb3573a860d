# expect: apt_unattended_upgrades:unattended-upgrades
# field: origins.allowed
# The older list counts beside the newer one.
echo 'Unattended-Upgrade::Allowed-Origins:: "Debian:testing";' >> /etc/apt/apt.conf.d/99rempart-unattended-upgrades
