# expect: firewall_rule:deny 11434/tcp
# field: loaded
# No field of the struct: the rule in ufw's file is no longer what ufw wrote, and would be loaded at boot.
sed -i '/--dport 11434 /s/-j DROP/-j ACCEPT/' /etc/ufw/user.rules
