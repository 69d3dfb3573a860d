//! Owns the look for secrets on a host: where they usually stand, the one script that reads those files, and its answer.
//!
//! The contents travel to the controller, where the same rules judge them as at home: a second set of rules in shell would
//! have a second set of faults. They stand in no file and no argument vector on the way; what could not be read is said.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::quote::Sh;
use crate::resource::{ProbeError, SectionOutput};
use crate::sh;

/// So much of one file is read, in bytes.
const OF_FILE: u64 = 1024 * 1024;
/// So much of all files, in bytes.
const OF_HOST: u64 = 24 * 1024 * 1024;
/// How long the search for files may take, in seconds.
const SEARCH: u64 = 60;

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

// A line a file: `F MODE OWNER SIZE PATH`, and its beginning in base64 on the next; `U WHY PATH` for one that was not
// read; `D` at the end. Names with a newline fall apart into names that are not there, which is said.
const READ: &str = r#"rp_all=0
rp_file() {
  rp_about=$(stat -c '%a %U %s' -- "$1" 2>/dev/null) || { printf 'U gone %s\n' "$1"; return; }
  [ -f "$1" ] && [ ! -L "$1" ] || { printf 'U gone %s\n' "$1"; return; }
  [ -r "$1" ] || { printf 'U denied %s\n' "$1"; return; }
  [ "$rp_all" -lt "$rp_most" ] || { printf 'U full %s\n' "$1"; return; }
  rp_size=${rp_about##* }
  [ "$rp_size" -lt "$rp_each" ] || rp_size=$rp_each
  rp_all=$((rp_all + rp_size))
  printf 'F %s %s\n' "$rp_about" "$1"
  timeout -k 1 10 head -c "$rp_each" -- "$1" | base64 -w 0
  echo
}"#;

/// The commands that read them; they change nothing.
pub fn look_on_host() -> Sh {
    commands(&ROOTS.map(str::to_owned), HOMES)
}

// Homes that lie in none of the folders above.
const HOMES: &str = r#"getent passwd | while IFS=: read -r _ _ _ _ _ rp_home _; do
  case $rp_home in /|/bin|/sbin|/dev|/dev/*|/proc|/proc/*|/sys/*|/usr/*|/run|/run/*|/var|/nonexistent|/home/*|/root|'') continue ;; esac
  [ ! -d "$rp_home" ] || printf '%s\n' "$rp_home"
done | sort -u"#;

fn commands(roots: &[String], homes: &'static str) -> Sh {
    let mut script = sh!("rp_each={}\nrp_most={}", OF_FILE, OF_HOST);
    script.line(Sh::program_of_the_user(READ));
    script.line(sh!(
        "rp_find() {\n  timeout -k 1 {} find \"$@\" \\( -type d \\( {} \\) -prune \\) -o -type f \\( {} -o {} \\) -print\n}",
        SEARCH,
        tests_of("-path", PRUNED.iter().copied()),
        tests_of("-name", NAMES.iter().flat_map(|(_, names)| names.iter().copied())),
        tests_of("-path", PATHS.iter().flat_map(|(_, paths)| paths.iter().copied()))
    ));
    script.line(sh!(
        "{ set --
  for rp_root in {}; do [ ! -d \"$rp_root\" ] || set -- \"$@\" \"$rp_root\"; done
  [ $# = 0 ] || rp_find \"$@\" -xdev || echo rp-unfinished
  {} | while IFS= read -r rp_home; do rp_find \"$rp_home\" -xdev -maxdepth 3 || echo rp-unfinished; done
} | sort -u | while IFS= read -r rp_path; do
  case $rp_path in rp-unfinished) echo 'U unfinished (folders)' ;; *) rp_file \"$rp_path\" ;; esac
done
echo D",
        roots.to_vec(),
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

/// One file of a host. Its content is no plain field: it is full of secrets.
pub struct HostFile {
    /// Its path.
    pub path: String,
    /// Octal: `600`.
    pub mode: String,
    /// Its owner's name.
    pub owner: String,
    content: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for HostFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostFile({}, {} bytes)", self.path, self.content.len())
    }
}

impl HostFile {
    /// What it holds.
    pub fn content(&self) -> &[u8] {
        &self.content
    }
}

/// What a host answered.
#[derive(Debug, Default)]
pub struct HostFiles {
    /// The files that were read.
    pub read: Vec<HostFile>,
    /// What was not looked at, and why.
    pub not_read: Vec<(String, String)>,
}

/// Reads the answer.
///
/// # Errors
/// It is no answer: cut short, or not understood.
pub fn read_host(section: &SectionOutput) -> Result<HostFiles, ProbeError> {
    let garbled = |what: &str| ProbeError(format!("the answer about files is garbled: {what}"));
    let mut files = HostFiles::default();
    let mut lines = section.stdout.split(|byte| *byte == b'\n');
    let mut ended = false;
    while let Some(line) = lines.next() {
        let line = String::from_utf8_lossy(line);
        let mut words = line.splitn(2, ' ');
        match (words.next(), words.next()) {
            (Some(""), None) => {}
            (Some("D"), None) => ended = true,
            (Some("U"), Some(rest)) => {
                let (why, path) = rest.split_once(' ').ok_or_else(|| garbled("a file without a reason"))?;
                files.not_read.push((path.to_owned(), why_not_read(why)));
            }
            (Some("F"), Some(rest)) => {
                let body = lines.next().ok_or_else(|| garbled("a file without its content"))?;
                let mut about = rest.splitn(4, ' ');
                let (Some(mode), Some(owner), Some(size), Some(path)) =
                    (about.next(), about.next(), about.next(), about.next())
                else {
                    return Err(garbled("a file without its name"));
                };
                let content =
                    Zeroizing::new(STANDARD.decode(body).map_err(|_| garbled("a content that is no base64"))?);
                let size: u64 = size.parse().map_err(|_| garbled("a file without its size"))?;
                let came = content.len() as u64;
                if size > OF_FILE {
                    let why = format!("only its first {} KiB: it is longer", OF_FILE / 1024);
                    files.not_read.push((path.to_owned(), why));
                } else if came < size {
                    files.not_read.push((path.to_owned(), format!("only {came} of {size} bytes could be read")));
                }
                files.read.push(HostFile { path: path.into(), mode: mode.into(), owner: owner.into(), content });
            }
            _ => return Err(garbled("an unknown line")),
        }
    }
    if !ended {
        return Err(ProbeError("the answer about files is cut short".into()));
    }
    for line in String::from_utf8_lossy(&section.stderr).lines().filter_map(|line| line.strip_prefix("find: ")) {
        // find: '/root': Permission denied
        let (path, why) = line.rsplit_once(": ").unwrap_or((line, "it could not be searched"));
        if why != "No such file or directory" {
            files.not_read.push((path.trim_matches(['\'', '\u{2018}', '\u{2019}']).to_owned(), why.to_lowercase()));
        }
    }
    Ok(files)
}

fn why_not_read(word: &str) -> String {
    match word {
        "gone" => "it was gone when it was to be read, or its name holds a newline".to_owned(),
        "denied" => "permission denied".to_owned(),
        "full" => format!("{} MiB of other files were read before it", OF_HOST / 1024 / 1024),
        "unfinished" => format!("the search for files met a fault, or took longer than {SEARCH} s"),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    fn asked(root: &std::path::Path) -> Result<HostFiles, ProbeError> {
        let script = commands(&[root.display().to_string(), "/no/such/folder".to_owned()], "true");
        let done = Command::new("sh").arg("-c").arg(script.text()).env("LC_ALL", "C").output().unwrap();
        read_host(&SectionOutput { status: done.status.code().unwrap(), stdout: done.stdout, stderr: done.stderr })
    }

    #[test]
    fn files_come_whole_and_what_was_not_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        write("app one/.env", b"A=1\n\nF 600 root 3 x\n\0\xff");
        write("home/x/.ssh/id_ed25519", b"key");
        write("home/x/.claude.json", b"{}");
        write("node_modules/p/.env", b"NO=1");
        write("home/x/notes.txt", b"no candidate");
        write("big.env", &vec![b'x'; 1024 * 1024 + 1]);
        write("new\nline.env", b"A=1");
        std::fs::set_permissions(folder.path().join("app one/.env"), std::fs::Permissions::from_mode(0o640)).unwrap();
        let files = asked(folder.path()).unwrap();
        let names: Vec<&str> = files
            .read
            .iter()
            .map(|file| file.path.strip_prefix(&format!("{}/", folder.path().display())).unwrap())
            .collect();
        assert_eq!(names, ["app one/.env", "big.env", "home/x/.claude.json", "home/x/.ssh/id_ed25519"]);
        assert_eq!(files.read[0].content(), b"A=1\n\nF 600 root 3 x\n\0\xff");
        assert_eq!(files.read[0].mode, "640");
        assert!(!format!("{files:?}").contains("F 600"), "a content is shown by Debug");
        let why: Vec<&str> = files.not_read.iter().map(|(_, why)| why.as_str()).collect();
        assert_eq!(why.iter().filter(|why| why.starts_with("only its first 1024 KiB")).count(), 1, "{why:?}");
        assert_eq!(why.iter().filter(|why| why.contains("newline")).count(), 2, "{why:?}");
    }

    #[test]
    fn an_answer_that_is_cut_or_garbled_is_none() {
        let of = |text: &str| {
            read_host(&SectionOutput { status: 0, stdout: text.as_bytes().to_vec(), stderr: Vec::new() })
                .map(|files| files.read.len())
        };
        assert_eq!(of("F 600 root 3 /a\nYWJj\nD\n"), Ok(1));
        for bad in [
            "",
            "F 600 root 3 /a\nYWJj\n",
            "F 600 root 3 /a\n!\nD\n",
            "F 600\nYWJj\nD\n",
            "X\nD\n",
            "F 600 root x /a\nYWJj\nD\n",
        ] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_find_may_not_enter_is_said() {
        let stderr = b"find: '/root': Permission denied\nfind: '/gone': No such file or directory\n".to_vec();
        let files = read_host(&SectionOutput { status: 0, stdout: b"D\n".to_vec(), stderr }).unwrap();
        assert_eq!(files.not_read, [("/root".to_owned(), "permission denied".to_owned())]);
    }
}
