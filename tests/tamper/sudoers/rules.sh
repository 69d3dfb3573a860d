# expect: sudoers:rp-tamper
# field: content
chmod u+w /etc/sudoers.d/rp-tamper; sed -i 's/NOPASSWD: .*/NOPASSWD: ALL/' /etc/sudoers.d/rp-tamper; chmod 0440 /etc/sudoers.d/rp-tamper
