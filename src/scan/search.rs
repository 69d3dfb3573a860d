//! Owns the one script that finds and reads a host's files: where secrets usually stand, and how far it goes.
//!
//! A folder that is a link, and what is mounted below a folder, is searched as any other; where a search fails, the answer
//! says so, and its end is said only where all of it came before.

use crate::quote::Sh;
use crate::sh;

/// So much of one file is read, in bytes.
pub(super) const OF_FILE: u64 = 1024 * 1024;
/// So much of all files, in bytes.
pub(super) const OF_HOST: u64 = 24 * 1024 * 1024;
/// How long the search for files may take, in seconds.
pub(super) const SEARCH: u64 = 60;

/// Folders that are searched to the ground.
const ROOTS: [&str; 9] =
    ["/etc", "/root", "/home", "/opt", "/srv", "/usr/local", "/var/www", "/var/spool/cron", "/var/lib/cloud/instances"];

/// Folders that hold what others made, or what changes every minute; and places where a service's own key has to stand.
const PRUNED: [&str; 14] = [
    "*/.git",
    "*/node_modules",
    "*/.cache",
    "*/site-packages",
    "*/dist-packages",
    "*/.cargo/registry",
    "*/.rustup",
    "*/go/pkg",
    "/etc/ssl",
    "/etc/letsencrypt",
    "/etc/ca-certificates",
    "/etc/alternatives",
    "/etc/apparmor.d",
    "/etc/pki",
];

/// Names of files, and what they are.
const NAMES: &[(&str, &[&str])] = &[
    ("files of environment variables", &[".env", ".env.*", "*.env", "environment", ".envrc"]),
    ("units of systemd and their drop-ins", &["*.service", "*.socket", "*.timer", "*.container"]),
    (
        "settings of MCP clients",
        &[
            "claude_desktop_config.json",
            ".mcp.json",
            "mcp.json",
            "mcp_config.json",
            "*mcp_settings.json",
            ".claude.json",
        ],
    ),
    ("compositions of containers", &["*compose*.yml", "*compose*.yaml", ".dockerconfigjson"]),
    (
        "logins to other machines",
        &[
            ".netrc",
            "_netrc",
            ".pgpass",
            ".my.cnf",
            ".git-credentials",
            ".npmrc",
            ".pypirc",
            ".s3cfg",
            ".vault-token",
            ".htpasswd",
            "rclone.conf",
            ".boto",
        ],
    ),
    ("histories of shells and databases", &[".*_history", "fish_history", ".histfile"]),
    ("what shells read first", &[".bashrc", ".bash_profile", ".bash_aliases", ".profile", ".zshrc", ".zshenv"]),
    ("private keys", &["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.key", "*.ppk", "identity"]),
    ("variables of Ansible", &["*vault_pass*", "*vault-pass*"]),
    ("data of cloud-init", &["user-data.txt", "user-data"]),
];

/// Paths of files, and what they are.
const PATHS: &[(&str, &[&str])] = &[
    ("files of environment variables", &["/etc/default/*", "/etc/profile.d/*"]),
    ("units of systemd and their drop-ins", &["*/systemd/*.d/*.conf", "*/environment.d/*.conf"]),
    (
        "settings of MCP clients",
        &["*/.codex/config.toml", "*/.gemini/settings.json", "*/.continue/config.*", "*/.claude/settings*.json"],
    ),
    (
        "logins to other machines",
        &[
            "*/.aws/credentials",
            "*/.kube/config",
            "*/.docker/config.json",
            "*/.config/gh/hosts.yml",
            "/etc/apt/auth.conf*",
        ],
    ),
    ("private keys", &["*/.ssh/*"]),
    ("commands at times", &["/etc/cron.*/*", "/etc/crontab", "/var/spool/cron/*"]),
    ("variables of Ansible", &["*/group_vars/*", "*/host_vars/*", "*/vars/*.yml", "*/vars/*.yaml", "*/ansible/hosts"]),
];

/// File systems that hold no files of anybody.
const NO_FILES: [&str; 14] = [
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
    "mqueue",
    "hugetlbfs",
    "binfmt_misc",
    "fusectl",
];

// Three lines a file: `F MODE SIZE PATH`, its owner, and its beginning in base64; `U WHY PATH` for one that was not read;
// `C CODE` for a search that failed; `D` at the end. Names with a newline fall apart into names that are not there, which
// is said.
const READ: &str = r#"rp_all=0
rp_line='
'
rp_file() {
  rp_about=$(stat --printf '%a %s\n%U' -- "$1" 2>/dev/null) || { printf 'U gone %s\n' "$1"; return; }
  [ -f "$1" ] && [ ! -L "$1" ] || { printf 'U gone %s\n' "$1"; return; }
  [ -r "$1" ] || { printf 'U denied %s\n' "$1"; return; }
  [ "$rp_all" -lt "$rp_most" ] || { printf 'U full %s\n' "$1"; return; }
  rp_owner=${rp_about#*"$rp_line"}
  rp_about=${rp_about%%"$rp_line"*}
  rp_size=${rp_about##* }
  [ "$rp_size" -lt "$rp_each" ] || rp_size=$rp_each
  rp_all=$((rp_all + rp_size))
  printf 'F %s %s\n%s\n' "$rp_about" "$1" "$rp_owner"
  timeout -k 1 10 head -c "$rp_each" -- "$1" | base64 -w 0
  echo
}"#;

// Whether a link leads to a folder that nothing else searches, and that may hold somebody's files.
const IS_NEW: &str = r#"rp_is_new() {
  [ -L "$1" ] && [ -d "$1" ] && rp_to=$(readlink -f -- "$1") || return 1
  case $rp_to/ in
    //|/bin/*|/sbin/*|/lib*|/usr/bin/*|/usr/sbin/*|/usr/lib*|/usr/share/*|/dev/*|/proc/*|/sys/*|/run/*|/boot/*) return 1 ;;
  esac
  ! rp_is_searched "$rp_to"
}"#;

// Homes that lie in none of the folders, or are links in one of them.
const HOMES: &str = r#"{ getent passwd || echo "~failed $?"; } | while IFS=: read -r rp_name _ _ _ _ rp_home _; do
  case $rp_name in '~failed '*) printf '%s\n' "$rp_name"; continue ;; esac
  case $rp_home in
    /home/*|/root|/opt/*|/srv/*) rp_is_new "$rp_home" || continue ;;
    /|/bin|/sbin|/dev|/dev/*|/proc|/proc/*|/sys/*|/usr/*|/run|/run/*|/var|/nonexistent|[!/]*|'') continue ;;
  esac
  [ ! -d "$rp_home" ] || printf '%s\n' "$rp_home"
done | sort -u"#;

/// The commands that read them; they change nothing.
pub fn look_on_host() -> Sh {
    commands(&ROOTS.map(str::to_owned), HOMES)
}

pub(super) fn commands(roots: &[String], homes: &'static str) -> Sh {
    let roots = roots.to_vec();
    let mut script = sh!("rp_each={}\nrp_most={}", OF_FILE, OF_HOST);
    script.line(Sh::program_of_the_user(READ));
    script.line(sh!(
        "rp_is_searched() {\n  for rp_root in {}; do\n    rp_root=$(readlink -f -- \"$rp_root\") || continue
    case $1/ in \"$rp_root\"/*) return 0 ;; esac\n  done\n  return 1\n}",
        roots
    ));
    script.line(Sh::program_of_the_user(IS_NEW));
    // -H: where a search begins, a link is followed. Not -xdev: a home may be a mount of its own.
    script.line(sh!(
        "rp_find() {\n  timeout -k 1 {} find -H \"$@\" \\( -type d \\( {} -o {} \\) -prune \\) -o -type f \\( {} -o {} \\) -print ||
    echo \"~failed $?\"\n}",
        SEARCH,
        tests_of("-path", PRUNED.iter().copied()),
        tests_of("-fstype", NO_FILES.iter().copied()),
        tests_of("-name", NAMES.iter().flat_map(|(_, names)| names.iter().copied())),
        tests_of("-path", PATHS.iter().flat_map(|(_, paths)| paths.iter().copied()))
    ));
    // All paths begin with a slash, and a tilde is sorted behind it: the end comes last, and only where there was one.
    script.line(sh!(
        "{ set --
  for rp_start in {}; do [ ! -d \"$rp_start\" ] || set -- \"$@\" \"$rp_start\"; done
  [ $# = 0 ] || rp_find \"$@\"
  set --
  for rp_start in {}; do
    for rp_link in \"$rp_start\"/*; do ! rp_is_new \"$rp_link\" || set -- \"$@\" \"$rp_link\"; done
  done
  [ $# = 0 ] || rp_find \"$@\"
  {} | while IFS= read -r rp_home; do
    case $rp_home in '~'*) printf '%s\\n' \"$rp_home\" ;; *) rp_find \"$rp_home\" -maxdepth 3 ;; esac
  done
  echo '~end'
} | LC_ALL=C sort -u | while IFS= read -r rp_path; do
  case $rp_path in '~end') echo D ;; '~failed '*) echo \"C ${rp_path#* }\" ;; *) rp_file \"$rp_path\" ;; esac
done",
        roots,
        roots,
        Sh::program_of_the_user(homes)
    ));
    script
}

fn tests_of<'a>(test: &'static str, patterns: impl Iterator<Item = &'a str>) -> Sh {
    patterns.fold(Sh::default(), |all, pattern| {
        let one = sh!("{} {}", test, pattern);
        if all.is_empty() { one } else { sh!("{} -o {}", all, one) }
    })
}
