# expect: firewall_ufw:ufw
# field: policy_loaded
# No field of the struct: the kernel lets everything in, whatever ufw's files say.
iptables -P INPUT ACCEPT
