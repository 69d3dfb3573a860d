//! Owns what the resources of a plan will make of the way in: plain data, filled by the kinds and judged by `lockout`.
//!
//! Must not know what any of it does to a login. What is not in here stays as it is on the host.

use std::collections::{BTreeMap, BTreeSet};

use super::{Edit, ManagedFile};
use crate::model::ResourceId;

/// The resource that something comes from, and where it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its identity.
    pub id: ResourceId,
    /// `file:line`.
    pub place: String,
}

/// What will stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeseenText {
    /// This text.
    Plain(String),
    /// A text that holds a secret, so nobody here may look at it.
    Hidden,
    /// What stands there now; only owner and mode change.
    Kept,
    /// What stands there now, with parts of it replaced, in this order.
    Edited(Vec<Edit>),
    /// Nothing: the file goes.
    Gone,
}

/// A file as it will stand, or a directory on the way to keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeseenFile {
    /// What it will hold.
    pub text: ForeseenText,
    /// Octal, such as `0644`; empty = as it is.
    pub mode: String,
    /// Owner's name; empty = as it is.
    pub owner: String,
    /// Group's name; empty = as it is.
    pub group: String,
    /// Who says so.
    pub origin: Origin,
}

/// One rule of ufw that will be there, or will not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeseenRule {
    /// Whether it is of IPv6.
    pub v6: bool,
    /// What ufw tells rules apart by: the words of its `### tuple ###` line but for verb, log and comment.
    pub key: String,
    /// `allow`, `deny`, `reject` or `limit`; a rule that goes is gone only where it does this.
    pub verb: &'static str,
    /// The iptables rules that ufw makes of it, as `-A CHAIN ...`; `None` = the rule goes.
    pub lines: Option<Vec<String>>,
    /// Who says so.
    pub origin: Origin,
}

/// ufw's settings as they will be; `None` = as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeseenSwitch {
    /// Whether it is on.
    pub enabled: bool,
    /// Incoming traffic that no rule speaks of: `ACCEPT`, `DROP` or `REJECT`.
    pub incoming: &'static str,
    /// The same for outgoing traffic.
    pub outgoing: Option<&'static str>,
    /// Whether it speaks IPv6.
    pub ipv6: Option<bool>,
    /// The keys of the declared rules, where every other rule goes.
    pub only: Option<Vec<String>>,
    /// Who says so.
    pub origin: Origin,
}

/// What becomes of ufw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeseenUfw {
    /// Its settings, if they change.
    pub switch: Option<ForeseenSwitch>,
    /// Rules that come and go, in order.
    pub rules: Vec<ForeseenRule>,
    /// Keys of rules that are put in this order, among the places that they hold then.
    pub orders: Vec<Vec<String>>,
}

/// What becomes of an account; `None` = as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeseenAccount {
    /// Its login shell.
    pub shell: Option<String>,
    /// Its home.
    pub home: Option<String>,
    /// Its number.
    pub uid: Option<u32>,
    /// Whether no password opens it.
    pub locked: Option<bool>,
    /// Its primary group.
    pub group: Option<String>,
    /// Supplementary groups that it is in.
    pub groups: Vec<String>,
    /// Whether it is in no other supplementary group.
    pub groups_only: bool,
    /// Who says so.
    pub origin: Origin,
}

/// What becomes of a unit; `None` = as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeseenUnit {
    /// Whether it runs.
    pub active: Option<bool>,
    /// Whether the next boot starts it.
    pub enabled: Option<bool>,
    /// Whether nobody can start it.
    pub masked: Option<bool>,
    /// Whether its own file or drop-ins change.
    pub rewritten: bool,
    /// Who says so.
    pub origin: Origin,
}

/// What the changes of one host's plan will make of the way in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreseen {
    origin: Option<Origin>,
    /// Files, by path.
    pub files: BTreeMap<String, ForeseenFile>,
    /// Whether sshd's main file begins to read its drop-ins.
    pub sshd_include: bool,
    /// What ssh.socket listens at from now on.
    pub socket: Option<(Vec<String>, Origin)>,
    /// ufw.
    pub ufw: Option<ForeseenUfw>,
    /// The text of the table `inet rempart` of nftables; `None` = it goes.
    pub nft: Option<(Option<String>, Origin)>,
    /// Accounts, by name.
    pub accounts: BTreeMap<String, ForeseenAccount>,
    /// Groups whose change makes the account that rempart logs in with a member (`true`), or takes it out.
    pub memberships: BTreeMap<String, (bool, Origin)>,
    /// Units, by name with suffix.
    pub units: BTreeMap<String, ForeseenUnit>,
    /// Packages that go.
    pub removed: BTreeMap<String, Origin>,
    /// Packages that come, or come anew: what tools make of files may change with them.
    pub installed: BTreeSet<String>,
    /// Kernel settings, with their values.
    pub sysctls: BTreeMap<String, (String, Origin)>,
}

impl Foreseen {
    /// Says whose changes come next.
    pub fn begin(&mut self, origin: Origin) {
        self.origin = Some(origin);
    }

    /// Whose changes these are.
    pub fn origin(&self) -> Origin {
        self.origin.clone().unwrap_or_else(|| Origin { id: ResourceId::new("", ""), place: String::new() })
    }

    /// Whether nothing of the plan touches the way in.
    pub fn is_empty(&self) -> bool {
        let Self {
            origin: _,
            files,
            sshd_include,
            socket,
            ufw,
            nft,
            accounts,
            memberships,
            units,
            removed,
            installed: _,
            sysctls,
        } = self;
        files.is_empty()
            && !sshd_include
            && socket.is_none()
            && ufw.is_none()
            && nft.is_none()
            && accounts.is_empty()
            && memberships.is_empty()
            && units.is_empty()
            && removed.is_empty()
            && sysctls.is_empty()
    }

    /// Whose changes all of these are, if they are of one resource.
    pub fn sole_origin(&self) -> Option<Origin> {
        let Self {
            origin: _,
            files,
            sshd_include: _,
            socket,
            ufw,
            nft,
            accounts,
            memberships,
            units,
            removed,
            installed: _,
            sysctls,
        } = self;
        let rules = ufw.iter().flat_map(|ufw| {
            ufw.rules.iter().map(|rule| &rule.origin).chain(ufw.switch.iter().map(|switch| &switch.origin))
        });
        let mut all = rules
            .chain(files.values().map(|file| &file.origin))
            .chain(socket.iter().map(|(_, origin)| origin))
            .chain(nft.iter().map(|(_, origin)| origin))
            .chain(accounts.values().map(|account| &account.origin))
            .chain(memberships.values().map(|(_, origin)| origin))
            .chain(units.values().map(|unit| &unit.origin))
            .chain(removed.values())
            .chain(sysctls.values().map(|(_, origin)| origin));
        let first = all.next()?;
        all.all(|other| other == first).then(|| first.clone())
    }

    /// Files of which nobody may know what they will hold.
    pub fn hidden(&self) -> impl Iterator<Item = (&String, &ForeseenFile)> {
        self.files.iter().filter(|(_, file)| file.text == ForeseenText::Hidden)
    }

    /// The first file that fits.
    pub fn file(&self, fits: impl Fn(&str) -> bool) -> Option<(&String, &ForeseenFile)> {
        self.files.iter().find(|(path, _)| fits(path))
    }

    /// The same where there is but one of them.
    pub fn sole_file(&self, fits: impl Fn(&str) -> bool) -> Option<(&String, &ForeseenFile)> {
        let mut fitting = self.files.iter().filter(|(path, _)| fits(path));
        fitting.next().filter(|_| fitting.next().is_none())
    }

    /// A file that will stand there, or go; passed over where no login depends on it.
    pub fn put_file(&mut self, file: &ManagedFile, is_gone: bool) {
        if !is_way_in(&file.path) {
            return;
        }
        let text = match &file.content {
            _ if is_gone => ForeseenText::Gone,
            None => ForeseenText::Kept,
            Some(content) => content.as_plain().map_or(ForeseenText::Hidden, ForeseenText::Plain),
        };
        let foreseen = ForeseenFile {
            text,
            mode: file.mode.clone(),
            owner: file.owner.clone(),
            group: file.group.clone(),
            origin: self.origin(),
        };
        self.files.insert(file.path.clone(), foreseen);
    }

    /// A part of a file that will stand there, or go, on top of what else becomes of the file. `owned` = its mode, owner
    /// and group then, where they change.
    pub fn put_part(&mut self, edit: Edit, owned: Option<[&str; 3]>) {
        let path = edit.part.file.clone();
        if !is_way_in(&path) {
            return;
        }
        let [mode, owner, group] = owned.unwrap_or_default().map(str::to_owned);
        let text = match self.files.get(&path).map(|file| &file.text) {
            None | Some(ForeseenText::Kept) => ForeseenText::Edited(vec![edit]),
            Some(ForeseenText::Edited(edits)) => ForeseenText::Edited(edits.iter().cloned().chain([edit]).collect()),
            Some(ForeseenText::Hidden) => ForeseenText::Hidden,
            Some(ForeseenText::Gone) => edit.of("").map_or(ForeseenText::Hidden, ForeseenText::Plain),
            Some(ForeseenText::Plain(text)) => edit.of(text).map_or(ForeseenText::Hidden, ForeseenText::Plain),
        };
        self.files.insert(path, ForeseenFile { text, mode, owner, group, origin: self.origin() });
    }

    /// What becomes of ufw, to be added to.
    pub fn ufw(&mut self) -> &mut ForeseenUfw {
        self.ufw.get_or_insert_default()
    }
}

/// Whether a login may depend on what stands at a path.
pub fn is_way_in(path: &str) -> bool {
    const FILES: [&str; 8] = [
        "/etc/nologin",
        "/etc/hosts.allow",
        "/etc/hosts.deny",
        "/etc/sudoers",
        "/etc/sudo.conf",
        "/etc/default/ufw",
        "/etc/nftables.conf",
        "/etc/shells",
    ];
    const TREES: [&str; 13] = [
        "/etc/ssh/",
        "/etc/sudoers.d/",
        "/etc/pam.d/",
        "/etc/security/",
        "/etc/ufw/",
        "/etc/nftables.d/",
        "/etc/nftables/",
        "/etc/iptables/",
        "/etc/systemd/network/",
        "/etc/systemd/system/ssh",
        "/etc/network/",
        "/etc/netplan/",
        "/etc/NetworkManager/",
    ];
    FILES.contains(&path)
        || TREES.iter().any(|tree| path.starts_with(tree))
        || path.contains("/.ssh/")
        || is_before_keys(path)
        || path.contains("authorized_keys")
        || (path.starts_with("/etc/") && path.ends_with(".nft"))
}

/// Whether it is a directory on the way to an account's keys: sshd refuses keys below one that others can write.
pub fn is_before_keys(path: &str) -> bool {
    let home = path.strip_prefix("/home/").is_some_and(|name| !name.contains('/'));
    home || matches!(path, "/root" | "/home") || path.ends_with("/.ssh")
}
