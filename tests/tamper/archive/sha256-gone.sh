# expect: archive:/opt/the tool
# field: sha256
rm '/opt/the tool/.rempart.archive'
