# expect: sshd:/etc/ssh/sshd_config.d/99-gone.conf
# field: state
echo 'PermitEmptyPasswords yes' > /etc/ssh/sshd_config.d/99-gone.conf
