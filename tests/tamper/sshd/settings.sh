# expect: sshd:/etc/ssh/sshd_config.d/00-rempart.conf
# field: settings.MaxAuthTries
sed -i 's/^MaxAuthTries .*/MaxAuthTries 20/' /etc/ssh/sshd_config.d/00-rempart.conf
systemctl reload ssh
# It listens anew for a moment.
for i in 1 2 3 4 5 6 7 8 9 10; do ss -Hltn 'sport = :22' | grep -q . && break; sleep 0.2; done
