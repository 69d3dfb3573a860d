# expect: archive:/opt/the tool
# field: owner
chown backup '/opt/the tool'
