#!/bin/sh
# Stands before the real `timeout` on a machine of the campaign. Steps of a batch are run by it, so here is the moment
# before a step (its intent is on the disk) and the moment after it (its result is not).
real=/usr/bin/timeout
case "$*" in *" /bin/sh /run/rempart/"*" step "*) ;; *) exec $real "$@" ;; esac
[ -d /run/campaign ] || exec $real "$@"
. /usr/local/lib/campaign.sh
eval "step=\${$#}; program=\${$(($# - 2))}"
# The last thing that was told is the intent: `intent STEP kind:key | title`.
title=$(tail -n 1 "${program%.sh}.log")
now="$(grep -c '^rp_step ' "$program") $step ${title##* | }"
pause "before $now"
echo "$now" > /run/campaign/now
rm -f /run/campaign/syncs
$real "$@"
status=$?
rm -f /run/campaign/now
pause "ended $now"
exit $status
