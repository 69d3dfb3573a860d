# expect: download:/srv/big
# field: sha256
# One byte of many, with the old time of change.
touch -r /srv/big /srv/then
printf y | dd of=/srv/big bs=1 seek=35000000 conv=notrunc status=none
touch -r /srv/then /srv/big; rm /srv/then
