//! Owns what a host must not get wrong, because rempart would not come in again: which files and units that is, how
//! such a file is tried before it replaces another, and what brings it into effect.
//!
//! A step that touches one is risky, so the guard is armed before it. Where writing a file has no effect by itself, the
//! step brings it into effect (`effect`): a guard that somebody confirms before anything happened guards nothing.

use crate::quote::Sh;

/// A file that can lock people out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifeline {
    /// The body of a shell function that fails if the file at `$1` is wrong; empty = nobody can say.
    check: &'static str,
    /// What a step does after it wrote the file; empty = writing is enough, or only a reboot would do.
    effect: &'static str,
    /// What brings a restored file into effect.
    after: &'static str,
}

/// Brings sshd to read its files anew, whether it listens itself or systemd does for it. Sessions outlive it.
pub const RESTART_SSHD: &str = "if command -v sshd >/dev/null; then
systemctl daemon-reload
if systemctl is-active --quiet ssh.service && ! sshd -t; then
  echo 'sshd runs, and would not start with its files as they stand; it is left running' >&2; exit 1
fi
systemctl reset-failed ssh.service ssh.socket 2>/dev/null || :
if systemctl is-active --quiet ssh.socket; then
  systemctl stop ssh.service; systemctl restart ssh.socket; systemctl start ssh.service
elif systemctl is-enabled --quiet ssh.service || systemctl is-active --quiet ssh.service; then
  systemctl restart ssh.service
fi
fi";

const PLAIN: Lifeline = Lifeline { check: "", effect: "", after: "" };

const SSHD: Lifeline = Lifeline {
    check: "command -v sshd >/dev/null || return 0
[ -d /run/sshd ] || mkdir -m 0755 /run/sshd
sshd -t -f \"$1\"",
    // The files as a whole may be wrong where each is right. A reload loses sockets that systemd handed over.
    effect: "if systemctl is-active --quiet ssh.service; then
  sshd -t
  systemctl reset-failed ssh.service ssh.socket 2>/dev/null || :
  if systemctl is-active --quiet ssh.socket; then systemctl restart ssh.service
  else systemctl reload ssh.service; fi
  sleep 0.5
  systemctl is-active --quiet ssh.service || { echo 'sshd did not survive the change' >&2; exit 1; }
fi",
    after: RESTART_SSHD,
};

const SUDOERS: Lifeline =
    Lifeline { check: "command -v visudo >/dev/null || return 0\nvisudo -cf \"$1\"", effect: "", after: "" };

const NFTABLES: Lifeline = Lifeline {
    check: "command -v nft >/dev/null || return 0\nnft -c -f \"$1\"",
    effect: "if systemctl is-active --quiet nftables.service; then systemctl reload nftables.service; fi",
    // A reload alone leaves standing what a ruleset without `flush ruleset` has added.
    after: "if systemctl is-active --quiet nftables.service; then systemctl restart nftables.service; fi",
};

// A part of the ruleset says nothing by itself, so only the whole is checked.
const NFTABLES_PART: Lifeline = Lifeline {
    check: "",
    effect: "if systemctl is-active --quiet nftables.service; then
  nft -c -f /etc/nftables.conf
  systemctl reload nftables.service
fi",
    ..NFTABLES
};

const IPTABLES: Lifeline = Lifeline {
    after: "if systemctl is-active --quiet netfilter-persistent.service; then
  systemctl restart netfilter-persistent.service
fi",
    ..PLAIN
};

const UFW_RELOAD: &str = "if [ -x /lib/ufw/ufw-init ] && grep -qiE '^ENABLED=\"?yes' /etc/ufw/ufw.conf; then
  /lib/ufw/ufw-init force-reload
fi";
const UFW: Lifeline = Lifeline { check: "", effect: UFW_RELOAD, after: UFW_RELOAD };

const NETWORKD_RELOAD: &str = "if systemctl is-active --quiet systemd-networkd.service; then networkctl reload; fi";
const NETWORKD: Lifeline = Lifeline { check: "", effect: NETWORKD_RELOAD, after: NETWORKD_RELOAD };

const LINKER: Lifeline = Lifeline { after: "ldconfig", ..PLAIN };

/// What a path ends with here: `/` = all that is below, with the directory itself; else the very file.
#[rustfmt::skip]
const PATHS: &[(&str, &Lifeline)] = &[
    ("/etc/ssh/sshd_config", &SSHD), ("/etc/ssh/sshd_config.d/", &SSHD), ("/etc/ssh/", &PLAIN),
    ("/etc/sudoers", &SUDOERS), ("/etc/sudoers.d/", &SUDOERS), ("/etc/sudo.conf", &PLAIN),
    ("/etc/pam.d/", &PLAIN), ("/etc/pam.conf", &PLAIN), ("/etc/security/", &PLAIN),
    ("/etc/passwd", &PLAIN), ("/etc/shadow", &PLAIN), ("/etc/group", &PLAIN), ("/etc/gshadow", &PLAIN),
    ("/etc/nsswitch.conf", &PLAIN), ("/etc/shells", &PLAIN), ("/etc/login.defs", &PLAIN), ("/etc/nologin", &PLAIN),
    ("/etc/hosts.allow", &PLAIN), ("/etc/hosts.deny", &PLAIN), ("/etc/resolv.conf", &PLAIN),
    // What every login and every program reads: broken, it ends sessions before they begin.
    ("/etc/profile", &PLAIN), ("/etc/profile.d/", &PLAIN), ("/etc/bash.bashrc", &PLAIN), ("/etc/environment", &PLAIN),
    ("/etc/ld.so.preload", &PLAIN), ("/etc/ld.so.conf", &LINKER), ("/etc/ld.so.conf.d/", &LINKER),
    ("/etc/nftables.conf", &NFTABLES), ("/etc/nftables.d/", &NFTABLES_PART), ("/etc/iptables/", &IPTABLES),
    ("/etc/ufw/", &UFW), ("/etc/default/ufw", &UFW),
    ("/etc/network/", &PLAIN), ("/etc/netplan/", &PLAIN), ("/etc/systemd/network/", &NETWORKD),
    ("/etc/NetworkManager/", &PLAIN), ("/etc/wireguard/", &PLAIN),
];

/// Directories whose owner or mode can shut people out, although nothing is in them that is a lifeline by itself.
const FOLDERS: [&str; 12] =
    ["/", "/bin", "/etc", "/home", "/lib", "/lib64", "/root", "/run", "/sbin", "/tmp", "/usr", "/var"];

/// Units whose change can cut the way by which rempart came.
#[rustfmt::skip]
const UNITS: [&str; 20] = [
    "ssh.service", "sshd.service", "ssh.socket", "sshd.socket",
    "systemd-networkd.service", "systemd-networkd.socket", "networking.service", "ifup@.service",
    "NetworkManager.service", "dhcpcd.service", "wpa_supplicant.service", "wg-quick@.service",
    "nftables.service", "ufw.service", "firewalld.service", "netfilter-persistent.service", "iptables.service",
    "dbus.service", "dbus.socket", "systemd-logind.service",
];

/// What is to be done about a file that can lock people out; `None` = this one cannot.
pub fn lifeline(path: &str) -> Option<&'static Lifeline> {
    let below = |folder: &str| {
        path.strip_prefix(folder.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let known = PATHS.iter().find(|(known, _)| if known.ends_with('/') { below(known) } else { path == *known });
    if let Some((folder, line)) = known {
        // sshd reads, and can try, what ends in .conf alone; sudo passes over names with a dot.
        let plain =
            (*folder == "/etc/ssh/sshd_config.d/" && !path.ends_with(".conf")) || *folder == path.to_owned() + "/";
        return Some(if plain { &PLAIN } else { line });
    }
    // Keys, wherever their owner lives: nobody knows the homes of a host before it was asked.
    if path.split('/').any(|part| part == ".ssh" || part.starts_with("authorized_keys")) {
        return Some(&PLAIN);
    }
    let unit = path.strip_prefix("/etc/systemd/system/")?.split('/').next().unwrap_or_default();
    is_lifeline_unit(unit.strip_suffix(".d").unwrap_or(unit)).then_some(&PLAIN)
}

/// Whether the owner and mode of a directory can lock people out.
pub fn is_lifeline_folder(path: &str) -> bool {
    // sshd takes no key from a home that others may write to.
    let home = path.strip_prefix("/home/").is_some_and(|rest| !rest.contains('/'));
    FOLDERS.contains(&path) || home || lifeline(path).is_some()
}

/// Whether a change of this unit can cut the way by which rempart came.
pub fn is_lifeline_unit(name: &str) -> bool {
    let template = match (name.split_once('@'), name.rsplit_once('.')) {
        (Some((stem, _)), Some((_, suffix))) => format!("{stem}@.{suffix}"),
        _ => name.to_owned(),
    };
    UNITS.contains(&template.as_str())
}

impl Lifeline {
    /// The body of a shell function that fails if the file at `$1` is wrong; empty = nobody can say.
    pub fn check(&self) -> Sh {
        Sh::program_of_the_user(self.check)
    }

    /// What a step does after it wrote or removed the file.
    pub fn effect(&self) -> Sh {
        Sh::program_of_the_user(self.effect)
    }

    /// What brings a restored file into effect.
    pub fn after(&self) -> Sh {
        Sh::program_of_the_user(self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_lock_people_out_is_known() {
        for path in [
            "/etc/ssh",
            "/etc/ssh/sshd_config",
            "/etc/ssh/sshd_config.d/10-x.conf",
            "/etc/ssh/ssh_host_ed25519_key",
            "/etc/sudoers",
            "/etc/sudoers.d/admins",
            "/etc/pam.d/sshd",
            "/etc/security/access.conf",
            "/etc/nftables.conf",
            "/etc/network/interfaces.d/eth0",
            "/etc/netplan/01.yaml",
            "/root/.ssh/authorized_keys",
            "/home/a/.ssh/authorized_keys2",
            "/srv/keys/authorized_keys.d/admin",
            "/etc/systemd/system/ssh.service.d/x.conf",
            "/etc/systemd/system/ssh.service",
            "/etc/systemd/system/wg-quick@wg0.service.d/x.conf",
        ] {
            assert!(lifeline(path).is_some(), "{path}");
        }
        for path in [
            "/etc/sshx",
            "/etc/motd",
            "/etc/sudoers.dx/a",
            "/etc/passwd.d/x",
            "/srv/etc/ssh/sshd_config",
            "/etc/systemd/system/squid.service.d/x.conf",
            "/home/a/ssh",
        ] {
            assert!(lifeline(path).is_none(), "{path}");
        }
        assert!(is_lifeline_folder("/home/admin") && is_lifeline_folder("/etc") && !is_lifeline_folder("/home/a/b"));
    }

    #[test]
    fn what_a_real_tool_knows_is_checked_by_it() {
        let check = |path: &str| lifeline(path).unwrap().check().text().to_owned();
        assert!(check("/etc/ssh/sshd_config").contains("sshd -t"));
        assert!(check("/etc/ssh/sshd_config.d/x.conf").contains("sshd -t"));
        assert!(check("/etc/sudoers.d/x").contains("visudo -cf"));
        assert!(check("/etc/nftables.conf").contains("nft -c -f"));
        for path in ["/etc/ssh/ssh_config", "/etc/ssh/sshd_config.d/README", "/etc/sudoers.d", "/etc/nftables.d/a"] {
            assert_eq!(check(path), "", "{path}");
        }
    }

    #[test]
    fn all_of_it_is_shell() {
        for (path, line) in PATHS {
            let text = format!("f() {{\n{}\n:\n}}\n{}\n{}\n", line.check, line.effect, line.after);
            let ran = std::process::Command::new("sh").args(["-n", "-c", &text]).status().unwrap();
            assert!(ran.success(), "{path}");
        }
    }
}
