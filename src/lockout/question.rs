//! Owns what a host is asked so that the way in can be judged: how it stands, and what its own tools make of the files
//! as they will stand. Those are tried in namespaces of their own, thrown away at once: nothing of the host is touched.

use super::scene::{ACCOUNT, CONNECTION, SHELL};
use super::touched::Touched;
use super::ufw;
use crate::quote::Sh;
use crate::resource::{Foreseen, ForeseenFile, ForeseenText, PART_SHELL, ProbeScript, show_units};
use crate::sh;

pub(super) const INTERFACE: &str = "lockout: interface";
pub(super) const SSHD: [&str; 2] = ["lockout: sshd now", "lockout: sshd then"];
pub(super) const KEYS: &str = "lockout: keys";
pub(super) const SUDO: [&str; 2] = ["lockout: sudo now", "lockout: sudo then"];
pub(super) const IPTABLES: [&str; 2] = ["lockout: iptables-save", "lockout: ip6tables-save"];
pub(super) const NFT: [&str; 3] = ["lockout: nft now", "lockout: nft then", "lockout: the table then"];
pub(super) const SOCKET: &str = "lockout: ssh.socket";
pub(super) const WRAPPED: &str = "lockout: wrapped";
pub(super) const WRAPPERS: [&str; 2] = ["/etc/hosts.allow", "/etc/hosts.deny"];

// Our session's own words on where it comes from. sudo clears its environment, so the parents are asked.
const FROM_WHERE: &str = r#"rp_conn=${SSH_CONNECTION:-} rp_pid=$$
while [ -z "$rp_conn" ] && [ "${rp_pid:-0}" -gt 1 ]; do
  rp_conn=$(grep -z -a '^SSH_CONNECTION=' "/proc/$rp_pid/environ" 2>/dev/null | tr -d '\000')
  rp_conn=${rp_conn#SSH_CONNECTION=} rp_up=
  while read -r rp_word rp_rest; do [ "$rp_word" != PPid: ] || rp_up=$rp_rest; done <"/proc/$rp_pid/status"
  rp_pid=$rp_up
done
case $rp_conn in *[!0-9a-zA-Z:.%_\ -]*) rp_conn= ;; esac
rp_from=${rp_conn%% *} rp_to=${rp_conn#* * } rp_to=${rp_to% *} rp_port=${rp_conn##* }"#;

// The user's name is put in by the shell that runs it.
const ASKED: &str =
    r#"rp_asked="sshd -T -C \"user=\$rp_user,host=$rp_from,addr=$rp_from,laddr=$rp_to,lport=$rp_port\"""#;

// A copy of /etc that only the command sees; 125 = it cannot be had here. No module is loaded for it.
const APART: &str = r#"mount -t tmpfs -o mode=0755 rempart /mnt && mkdir /mnt/new /mnt/work || exit 125
{ while read -r rp_a rp_b; do [ "${rp_b:-$rp_a}" != overlay ] || rp_overlay=1; done </proc/filesystems; } 2>/dev/null
[ "${rp_overlay:-}" ] && mount -t overlay -o lowerdir=/etc,upperdir=/mnt/new,workdir=/mnt/work rempart /etc 2>/dev/null ||
  { cp -a /etc /mnt/etc && mount --bind /mnt/etc /etc; } || exit 125
[ -d /run/sshd ] || { mount -t tmpfs -o mode=0755 rempart /run && mkdir -m 0755 /run/sshd; } || exit 125
rp_put() { mkdir -p "${1%/*}" && rm -f "$1" && printf %s "$5" >"$1" && chown "$3:$4" "$1" && chmod "$2" "$1"; }"#;

const KEY_FILES: &str = r#"printf '%s\n%s\n' "$rp_sshd_now" "$rp_sshd_then" | rp_home=$rp_home rp_user=$rp_user awk '
  $1 == "authorizedkeysfile" {
    for (i = 2; i <= NF; i++) if ($i != "none") {
      rest = $i; path = ""
      while ((p = index(rest, "%")) > 0) {
        c = substr(rest, p + 1, 1)
        path = path substr(rest, 1, p - 1) (c == "h" ? ENVIRON["rp_home"] : c == "u" ? ENVIRON["rp_user"] : c == "%" ? "%" : "?")
        rest = substr(rest, p + 2)
      }
      path = path rest
      if (path !~ /^\//) path = ENVIRON["rp_home"] "/" path
      if (!(path in seen)) { seen[path]; print path }
    }
  }' | while IFS= read -r rp_f; do
  if [ -f "$rp_f" ] && rp_s=$(stat -L -c '%u %s' -- "$rp_f") && [ "${rp_s#* }" -le 262144 ]; then
    printf '%s %s\n' "$rp_s" "$rp_f"; head -c "${rp_s#* }" -- "$rp_f"; echo
  else printf -- '- %s\n' "$rp_f"; fi
done"#;

/// Asks all that the judgement needs of a host, and nothing that the plan does not touch.
pub fn ask(user: &str, foreseen: &Foreseen, script: &mut ProbeScript) {
    let touched = Touched::by(foreseen, user);
    script.prelude(Sh::program_of_the_user(FROM_WHERE));
    script.prelude(sh!(
        "rp_user={}\nrp_passwd=$(getent passwd -- \"$rp_user\")\nrp_home=${rp_passwd%:*} rp_home=${rp_home##*:}",
        user
    ));
    script.prelude(apart(foreseen, user));
    script.section(CONNECTION, sh!("printf '%s\\n' \"$rp_conn\""));
    script.section(
        ACCOUNT,
        sh!("printf '%s\\n' \"$rp_passwd\" | sed 's/^\\([^:]*\\):[^:]*:/\\1:x:/'
id -Gn -- \"$rp_user\"
rp_shell=${rp_passwd##*:}; [ -x \"${rp_shell:-/bin/sh}\" ] && echo runs || echo 'does not run'
grep -q \"^$rp_user:!\" /etc/shadow && echo locked || echo open"),
    );
    if let Some(shell) = foreseen.accounts.get(user).and_then(|account| account.shell.as_ref()) {
        script.section(SHELL, sh!("[ -x {} ] && echo runs || echo missing", shell));
    }
    for unit in ["ssh.service", "ssh.socket", "nftables.service"] {
        show_units(script, unit);
    }
    script.section(SOCKET, sh!("systemctl show -p Listen --value ssh.socket"));
    if touched.firewall() {
        script.section(INTERFACE, sh!("ip -o route get \"$rp_from\""));
        script.section(IPTABLES[0], sh!("iptables-save"));
        script.section(IPTABLES[1], sh!("ip6tables-save"));
        script.section(NFT[0], sh!("nft -j list ruleset"));
        ufw::ask(script);
    }
    if touched.nft {
        let load = "[ -e /etc/nftables.conf ] || exit 0\nnft -f /etc/nftables.conf && nft -j list ruleset";
        script.section(NFT[1], sh!("rp_apart -n \"$rp_changes\" {}", load));
    }
    if let Some((Some(text), _)) = &foreseen.nft {
        let load = sh!("printf '%s' {} | nft -f - && nft -j list table inet rempart", text);
        script.section(NFT[2], sh!("rp_apart -n '' {}", load.text()));
    }
    if touched.sshd || touched.keys || touched.account {
        script.prelude(Sh::program_of_the_user(ASKED));
        script.prelude(sh!("rp_sshd_now=$(rp_apart '' '' \"$rp_asked\" 2>&1); rp_now=$?"));
        script.prelude(sh!("rp_sshd_then=$(rp_apart '' \"$rp_changes\" \"$rp_asked\" 2>&1); rp_then=$?"));
        script.section(SSHD[0], sh!("printf '%s\\n' \"$rp_sshd_now\"; exit \"$rp_now\""));
        script.section(SSHD[1], sh!("printf '%s\\n' \"$rp_sshd_then\"; exit \"$rp_then\""));
        script.section(KEYS, Sh::program_of_the_user(KEY_FILES));
    }
    if touched.sudo {
        let listing = "sudo -l -U \"$rp_user\"";
        script.section(SUDO[0], sh!("rp_apart '' '' {}", listing));
        script.section(SUDO[1], sh!("rp_apart '' \"$rp_changes\" {}", listing));
    }
    if touched.wrappers {
        WRAPPERS.iter().for_each(|path| script.content(path, None));
        let linked = "grep -q libwrap /usr/sbin/sshd /usr/lib/openssh/sshd-session 2>/dev/null && echo yes || echo no";
        script.section(WRAPPED, Sh::program_of_the_user(linked));
    }
}

// The function `rp_apart OPTION CHANGES COMMAND`, and the variable `rp_changes` with what the plan makes of /etc.
fn apart(foreseen: &Foreseen, user: &str) -> Sh {
    let mut changes = Sh::default();
    if foreseen.files.values().any(|file| matches!(file.text, ForeseenText::Edited(_))) {
        changes.line(Sh::program_of_the_user(PART_SHELL));
    }
    for (path, file) in foreseen.files.iter().filter(|(path, _)| path.starts_with("/etc/")) {
        changes.line(change(path, file));
    }
    if foreseen.sshd_include {
        changes.line(sh!("{ echo 'Include /etc/ssh/sshd_config.d/*.conf'; cat /etc/ssh/sshd_config; } >/mnt/main && \
cat /mnt/main >/etc/ssh/sshd_config || exit 125"));
    }
    let account = foreseen.accounts.get(user);
    let joined = foreseen.memberships.iter().filter(|(_, (is_member, _))| *is_member).map(|(group, _)| group);
    let left = foreseen.memberships.iter().filter(|(_, (is_member, _))| !is_member).map(|(group, _)| group);
    let groups: Vec<&String> = account.iter().flat_map(|account| &account.groups).chain(joined).collect();
    let left: Vec<&String> = left.collect();
    if account.is_some() || !foreseen.memberships.is_empty() {
        let list = |groups: &[&String]| groups.iter().map(|group| group.as_str()).collect::<Vec<_>>().join(",");
        let only = u16::from(account.is_some_and(|account| account.groups_only));
        changes.line(sh!(
            "awk -F: -v OFS=: -v u={} -v add={} -v leave={} -v only={} '
  BEGIN {
    n = split(add, names, \",\"); for (i = 1; i <= n; i++) want[names[i]]
    n = split(leave, names, \",\"); for (i = 1; i <= n; i++) drop[names[i]]
  }
  {
    n = split($4, members, \",\"); list = \"\"
    for (i = 1; i <= n; i++) if (members[i] != u) list = list (list == \"\" ? \"\" : \",\") members[i]
    was = (\",\" $4 \",\" ~ \",\" u \",\")
    if (!($1 in drop) && (($1 in want) || (was && !only))) list = list (list == \"\" ? \"\" : \",\") u
    $4 = list; print
  }' /etc/group >/mnt/group && cat /mnt/group >/etc/group || exit 125",
            user,
            list(&groups),
            list(&left),
            only
        ));
    }
    let mut text = sh!("rp_changes={}\nrp_setup={}", changes.text(), APART);
    // The script comes in by a pipe, since an argument may not be longer than 128 KiB.
    let user = sh!("rp_user={}", user);
    text.line(sh!(
        "rp_apart() { printf '%s\\n' {} \"$rp_setup\" \"$2\" \"$3\" | unshare -m $1 --propagation private sh; }",
        user.text()
    ));
    text
}

fn change(path: &str, file: &ForeseenFile) -> Sh {
    let ForeseenFile { text, mode, owner, group, .. } = file;
    match text {
        ForeseenText::Plain(text) => sh!("rp_put {} {} {} {} {} || exit 125", path, mode, owner, group, text),
        ForeseenText::Gone => sh!("rm -f -- {} || exit 125", path),
        ForeseenText::Edited(edits) => Sh::lines(edits.iter().map(|edit| {
            sh!(
                "printf '%s' {} >/mnt/lines && { rp_part_put {} /mnt/lines '' >/mnt/part || exit 125; } && cat /mnt/part >{} || exit 125",
                edit.lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
                edit.part.words(),
                path
            )
        })),
        ForeseenText::Kept => sh!(
            "[ ! -e {} ] || { chown -- {} {} && chmod -- {} {}; } || exit 125",
            path,
            format!("{owner}:{group}"),
            path,
            mode,
            path
        ),
        // Its parts of the way in are not judged.
        ForeseenText::Hidden => Sh::default(),
    }
}
