#!/bin/sh
# Stands before the real `sync` on a machine of the campaign: the moments inside of a step that writes a file (its new
# content is there, nothing of it is on the disk).
real=/usr/bin/sync
# All filesystems would be those of the whole computer, with the disks of the campaign's other machines; of this one it is all.
[ $# -gt 0 ] || set -- -f /
[ -d /run/campaign ] || exec $real "$@"
. /usr/local/lib/campaign.sh
if [ -e /run/campaign/now ]; then
  echo . >> /run/campaign/syncs
  pause "sync$(wc -l < /run/campaign/syncs) $(cat /run/campaign/now)"
fi
exec $real "$@"
