# expect: command:add the line
# field: check
sed -i '/marked/d' /etc/rp-lines
