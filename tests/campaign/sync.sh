#!/bin/sh
# Stands before the real `sync` on a machine of the campaign: the moments inside of a step that writes a file (its new
# content is there, nothing of it is on the disk), and those right after a line of the journal.
real=/usr/bin/sync
[ -d /run/campaign ] || exec $real "$@"
. /usr/local/lib/campaign.sh
journal=/var/lib/rempart/journal
if [ "$*" = "-- $journal" ]; then
  $real "$@"
  status=$?
  word=$(tail -n 1 $journal | cut -f 6)
  pause "$word $(tail -n 1 $journal | cut -f 5).$(tail -n 1 $journal | cut -f 7)"
  exit $status
fi
if [ -e /run/campaign/now ]; then
  echo . >> /run/campaign/syncs
  pause "sync$(wc -l < /run/campaign/syncs) $(cat /run/campaign/now)"
fi
exec $real "$@"
