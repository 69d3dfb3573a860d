# expect: sshd:/etc/ssh/sshd_config.d/00-rempart.conf
# field: settings.MaxAuthTries
sed -i 's/^MaxAuthTries .*/MaxAuthTries 20/' /etc/ssh/sshd_config.d/00-rempart.conf
systemctl reload ssh
