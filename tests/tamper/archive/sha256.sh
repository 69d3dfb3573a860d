# expect: archive:/opt/the tool
# field: sha256
printf 'sha256 0000000000000000000000000000000000000000000000000000000000000000\nstrip 1\n' > '/opt/the tool/.rempart.archive'
