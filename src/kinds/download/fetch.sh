# rp_begin PATH: where it grows until it is whole. What an earlier attempt left there is gone on with.
rp_begin() {
  rp_dir=${1%/*}; rp_dir=${rp_dir:-/}
  rp_parent "$rp_dir" root
  rp_tmp="${rp_dir%/}/.rempart.new.${1##*/}"
  if [ -L "$rp_tmp" ] || [ ! -f "$rp_tmp" ] || [ "$(stat -c %u:%h -- "$rp_tmp")" != 0:1 ]; then
    rm -rf -- "$rp_tmp"
    : > "$rp_tmp"
  fi
}

# rp_get URL SHA256 PROXY: Debian's own fetcher; it resumes, follows redirects, and asks the proxy that apt asks.
rp_get() {
  set -- "$1" "$2" "$3" -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 \
    -o Acquire::http::Timeout=60 -o Acquire::https::Timeout=60
  if [ -n "$3" ]; then set -- "$@" -o "Acquire::http::Proxy=$3" -o "Acquire::https::Proxy=$3"; fi
  rp_url=$1 rp_sha=$2; shift 3
  rm -f -- "$rp_tmp.FAILED"
  /usr/lib/apt/apt-helper "$@" download-file "$rp_url" "$rp_tmp" "SHA256:$rp_sha"
}

rp_fetch() {
  [ -x /usr/lib/apt/apt-helper ] || rp_fail "/usr/lib/apt/apt-helper is not there, which apt brings"
  rp_had=$(stat -c %s -- "$rp_tmp")
  if rp_get "$@"; then return; fi
  # Its sum is wrong; what had begun may have been of another file.
  if [ -e "$rp_tmp.FAILED" ] && [ "$rp_had" != 0 ]; then
    rm -f -- "$rp_tmp"
    : > "$rp_tmp"
    if rp_get "$@"; then return; fi
  fi
  if [ -e "$rp_tmp.FAILED" ]; then
    rm -f -- "$rp_tmp.FAILED" "$rp_tmp"
    rp_fail "what $1 gives is not what is pinned; nothing was replaced"
  fi
  rp_fail "$1 could not be fetched; nothing was replaced"
}

# rp_finish PATH SHA256 MODE OWNER GROUP: it gets its name once it is whole, right and on the disk.
rp_finish() {
  rp_sum=$(sha256sum < "$rp_tmp")
  if [ "${rp_sum%% *}" != "$2" ]; then
    rm -f -- "$rp_tmp"
    rp_fail "what came has the sum ${rp_sum%% *}, not $2; nothing was replaced"
  fi
  chown -- "$4:$5" "$rp_tmp"
  chmod -- "$3" "$rp_tmp"
  sync -- "$rp_tmp"
  mv -T -- "$rp_tmp" "$1"
  sync -- "$rp_dir"
  rp_verified "$1" "$2"
}
