# expect: archive:/opt/the tool
# field: mode
chmod 0777 '/opt/the tool'
