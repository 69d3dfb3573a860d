//! Owns the shell text with which ufw is changed, put in order, and taken back.

use super::tuple::Tuple;
use crate::quote::Sh;
use crate::resource::{Expect, Touch, Undo};
use crate::sh;

/// Functions for steps and for the way back. `rp_ufw_hooks` is there because `ufw reload` does not bring back the jumps
/// out of INPUT, FORWARD and OUTPUT once they are flushed: the host would stay cut off.
pub(super) const FUNCTIONS: &str = r#"rp_ufw_on() { grep -q -i -E '^ENABLED="?yes' /etc/ufw/ufw.conf; }
rp_ufw_v6() { grep -q -i -E '^IPV6="?yes' /etc/default/ufw && [ -e /proc/sys/net/ipv6 ]; }
rp_ufw_hooks() {
  for rp_x in iptables ip6tables; do
    rp_s=$("$rp_x-save" 2>/dev/null | awk '
      /^\*/ { filter = ($0 == "*filter") }
      !filter { next }
      /^:ufw6?-before-input / { prefix = substr($1, 2, length($1) - 14) }
      /^-A (INPUT|FORWARD|OUTPUT) -j ufw6?-(before-logging|before|after|after-logging|reject|track)-(input|forward|output)$/ {
        is[$2] = is[$2] " " $4
      }
      END {
        if (prefix == "") exit
        n = split("before-logging before after after-logging reject track", part, " ")
        split("INPUT FORWARD OUTPUT", builtin, " "); split("input forward output", way, " ")
        for (b = 1; b <= 3; b++) {
          must = ""
          for (i = 1; i <= n; i++) must = must " " prefix "-" part[i] "-" way[b]
          if (must == is[builtin[b]]) continue
          m = split(is[builtin[b]], old, " ")
          for (i = 1; i <= m; i++) print "-D " builtin[b] " -j " old[i]
          m = split(must, new, " ")
          for (i = 1; i <= m; i++) print "-A " builtin[b] " -j " new[i]
        }
      }')
    [ -z "$rp_s" ] || printf '*filter\n%s\nCOMMIT\n' "$rp_s" | "$rp_x-restore" -n || return 1
  done
}
rp_ufw_reload() { /lib/ufw/ufw-init force-reload && rp_ufw_hooks; }"#;

const STEP_FUNCTIONS: &str = r#"rp_ufw_put() {
  cmp -s "$1" "$2" || rp_put "$1" "$2" "$(stat -c %a "$2")" "$(stat -c %U "$2")" "$(stat -c %G "$2")"
  rm -f "$1"
}
rp_ufw_set() {
  rp_t=$(mktemp /run/rempart-ufw.XXXXXX)
  awk -v k="$2" -v v="$3" 'index($0, k "=") == 1 { print k "=" v; done = 1; next } { print }
    END { if (!done) print k "=" v }' "$1" >"$rp_t"
  rp_ufw_put "$rp_t" "$1"
}
rp_ufw_running() { iptables -n -L ufw-user-input >/dev/null 2>&1 || ! rp_ufw_on || rp_ufw_reload; }
rp_ufw_rewrite() { ufw logging "$(sed -n 's/^LOGLEVEL="\{0,1\}\([a-z]*\).*/\1/p' /etc/ufw/ufw.conf | tail -n 1)"; }
rp_ufw_order() {
  cat >/run/rempart-ufw.order
  for rp_f in /etc/ufw/user.rules /etc/ufw/user6.rules; do
    rp_t=$(mktemp /run/rempart-ufw.XXXXXX)
    awk '
      FNR == NR { pos[$0] = FNR; last = FNR; next }
      /^### tuple ### / {
        a = ($4 ~ /^route:/) ? "route:" : ""; k = ""; n = NF
        if ($n ~ /^comment=/) n--
        for (i = 5; i <= n; i++) k = k (i > 5 ? " " : "") $i
        blocks++; key[blocks] = a k; text[blocks] = ""; inside = 1
        if ((a k) in pos) { slot[++slots] = blocks; at[pos[a k]] = blocks }
      }
      /^### END RULES ###/ { inside = 0; ended = 1 }
      inside { text[blocks] = text[blocks] $0 "\n"; next }
      ended { tail = tail $0 "\n"; next }
      { head = head $0 "\n" }
      END {
        s = 0
        for (p = 1; p <= last; p++) if (p in at) put[slot[++s]] = at[p]
        printf "%s", head
        for (b = 1; b <= blocks; b++) printf "%s", text[(b in put) ? put[b] : b]
        printf "%s", tail
      }' /run/rempart-ufw.order "$rp_f" >"$rp_t"
    cmp -s "$rp_t" "$rp_f" || rp_moved=1
    rp_ufw_put "$rp_t" "$rp_f"
  done
  rm -f /run/rempart-ufw.order
  if [ "${rp_moved:-}" ] && rp_ufw_on; then
    iptables-restore -n </etc/ufw/user.rules
    ! rp_ufw_v6 || ip6tables-restore -n </etc/ufw/user6.rules
  fi
}"#;

const PRINT_TUPLES: &str = r#"awk '
  FNR == NR { want[$0]; next }
  /^### tuple ### / {
    a = ($4 ~ /^route:/) ? "route:" : ""; k = ""; n = NF
    if ($n ~ /^comment=/) n--
    for (i = 5; i <= n; i++) k = k (i > 5 ? " " : "") $i
    if ((a k) in want) print
  }' - /etc/ufw/user.rules /etc/ufw/user6.rules"#;

const AFTER: &str = r#"PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH
rp_ufw_open() {
  for rp_x in iptables ip6tables; do
    for rp_c in INPUT OUTPUT; do "$rp_x" -P "$rp_c" ACCEPT 2>/dev/null || :; done
    for rp_c in $("$rp_x" -S 2>/dev/null | sed -n 's/^-N \(ufw6\{0,1\}-[^ ]*\)$/\1/p'); do
      "$rp_x" -F "$rp_c" 2>/dev/null || :
    done
  done
}
if [ ! -x /lib/ufw/ufw-init ] || [ ! -s /etc/ufw/ufw.conf ] || [ ! -s /etc/default/ufw ]; then
  rp_ufw_open
elif rp_ufw_on; then
  rp_ufw_reload || rp_ufw_open
else
  /lib/ufw/ufw-init force-stop || rp_ufw_open
fi"#;

#[rustfmt::skip]
const SETTINGS: &[&str] = &[
    "net/ipv4/conf/all/accept_redirects", "net/ipv4/conf/default/accept_redirects",
    "net/ipv6/conf/all/accept_redirects", "net/ipv6/conf/default/accept_redirects",
    "net/ipv4/icmp_echo_ignore_broadcasts", "net/ipv4/icmp_ignore_bogus_error_responses",
    "net/ipv4/icmp_echo_ignore_all",
    "net/ipv4/conf/all/log_martians", "net/ipv4/conf/default/log_martians",
];

/// What every step begins with.
pub(in crate::kinds) fn prologue() -> Sh {
    Sh::lines([Sh::program_of_the_user(FUNCTIONS), Sh::program_of_the_user(STEP_FUNCTIONS)])
}

/// Makes a rule, or deletes it.
pub(in crate::kinds) fn ufw(tuple: &Tuple, delete: bool, both: bool) -> Sh {
    // The quoting of arguments is the shell's; ufw refuses an apostrophe in a comment, and so does loading.
    let force = if delete { sh!(" --force") } else { Sh::default() };
    sh!("ufw{} {}", force, tuple.command(delete, both))
}

/// Puts the rules with these keys in this order, each among the places that they hold now.
pub(in crate::kinds) fn order(keys: &[String]) -> Sh {
    sh!("printf '%s\\n' {} | rp_ufw_order", keys)
}

/// That ufw's files hold these lines for these keys, and no other.
pub(in crate::kinds) fn expect_tuples(keys: &[String], lines: &[String]) -> Expect {
    let command = sh!("printf '%s\\n' {} | {}", keys, Sh::program_of_the_user(PRINT_TUPLES));
    Expect::Prints { command, output: lines.join("\n") }
}

/// How every step is taken back: ufw's files, and the kernel according to them. Works at boot, before ufw's own unit.
pub(in crate::kinds) fn undo() -> Undo {
    let after = Sh::lines([Sh::program_of_the_user(FUNCTIONS), Sh::program_of_the_user(AFTER)]);
    let files = [Touch::Tree("/etc/ufw".into()), Touch::Path("/etc/default/ufw".into())];
    // What ufw sets by its /etc/ufw/sysctl.conf when it is switched on, and never takes back.
    let kernel = SETTINGS.iter().map(|setting| Touch::Kernel((*setting).into()));
    Undo::of(files.into_iter().chain(kernel).chain([Touch::Unit("ufw.service".into())])).then(after)
}
