# pause MOMENT: if this is the moment that is wanted, says so and holds still until it may go on.
pause() {
  wanted=$(cat /run/campaign/wanted 2>/dev/null) || return 0
  case "$1" in $wanted) ;; *) return 0 ;; esac
  rm -f /run/campaign/wanted /run/campaign/go
  echo "$1" > /run/campaign/at.new
  mv /run/campaign/at.new /run/campaign/at
  while [ ! -e /run/campaign/go ]; do sleep 0.02; done
  rm -f /run/campaign/go /run/campaign/at
}
