# expect: archive:/opt/the tool
# field: creates.lib
rm '/opt/the tool/lib'
