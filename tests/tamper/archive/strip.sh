# expect: archive:/opt/the tool
# field: strip
sed -i s/strip.1/strip\ 0/ '/opt/the tool/.rempart.archive'
