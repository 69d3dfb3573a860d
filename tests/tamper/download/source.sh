# expect: download:/srv/blob
# field: sha256
# Same size, same time of change.
touch -r /srv/blob /srv/then; printf x | dd of=/srv/blob bs=1 conv=notrunc status=none; touch -r /srv/then /srv/blob; rm /srv/then
