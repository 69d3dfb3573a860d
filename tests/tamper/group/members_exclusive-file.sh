# expect: group:rp-team
# field: members
sed -i "/^rp-team:/s/games/games,root/" /etc/group
