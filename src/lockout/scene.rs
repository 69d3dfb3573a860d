//! Owns what a judgement stands on: our login, the host's answer, and what the plan will change.

use std::net::IpAddr;

use crate::resource::{Answer, Foreseen, ForeseenAccount, Origin};
use crate::transport::Login;

/// Our login, the host's answer to the questions of this module, and what the plan will change.
pub struct Scene<'a> {
    /// How we came in.
    pub login: &'a Login,
    /// Whether a password for the login is known.
    pub has_login_password: bool,
    /// Whether a password for sudo is known.
    pub has_sudo_password: bool,
    /// Whether we become root by sudo.
    pub by_sudo: bool,
    /// How many connections we make within half a minute: a plan, an apply, and what the guard needs.
    pub connections: u32,
    /// What the plan will change.
    pub foreseen: &'a Foreseen,
    /// What the host answered.
    pub answer: &'a Answer,
}

/// Our connection as the host's sshd sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub from: IpAddr,
    pub to: IpAddr,
    pub port: u16,
}

/// The account that we log in with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub uid: u32,
    pub home: String,
    pub shell: String,
    /// Whether the shell lets one work; `None` = it is not there yet.
    pub shell_runs: Option<bool>,
    /// Whether its password is locked, as usermod locks it.
    pub locked: bool,
    pub groups: Vec<String>,
}

pub(super) const CONNECTION: &str = "lockout: connection";
pub(super) const ACCOUNT: &str = "lockout: account";
pub(super) const SHELL: &str = "lockout: shell";

impl Scene<'_> {
    /// A section's text, if it ended well.
    pub(super) fn text(&self, section: &str) -> Result<&str, String> {
        let section = self.answer.section(section).map_err(|why| why.to_string())?;
        match section.status {
            0 => section.text().map_err(|why| why.to_string()),
            125 => Err("the host does not let it be tried in a namespace of its own".into()),
            _ => Err(section.complaint()),
        }
    }

    /// Our connection, from `SSH_CONNECTION` of the session itself.
    pub(super) fn connection(&self) -> Result<Connection, String> {
        let words: Vec<&str> = self.text(CONNECTION)?.split_ascii_whitespace().collect();
        let address = |text: &str| text.split('%').next().and_then(|text| text.parse::<IpAddr>().ok());
        let [from, _, to, port] = words.as_slice() else {
            return Err("the host's sshd does not tell by which address we came (SSH_CONNECTION)".into());
        };
        match (address(from), address(to), port.parse()) {
            (Some(from), Some(to), Ok(port)) => {
                Ok(Connection { from: from.to_canonical(), to: to.to_canonical(), port })
            }
            _ => Err("SSH_CONNECTION was not understood".into()),
        }
    }

    /// The account as it stands.
    pub(super) fn account(&self) -> Result<Account, String> {
        let mut lines = self.text(ACCOUNT)?.lines();
        let mut line = || lines.next().unwrap_or("");
        let (passwd, groups, shell, lock) = (line(), line(), line(), line());
        let runs = |shell: &str, found: &str| match shell.rsplit('/').next() {
            Some("nologin" | "false") => Some(false),
            _ => Some(found == "runs"),
        };
        let fields: Vec<&str> = passwd.split(':').collect();
        let [_, _, uid, _, _, home, login_shell] = fields.as_slice() else {
            return Err(format!("the account {} could not be read", self.login.user));
        };
        Ok(Account {
            uid: uid.parse().map_err(|_| "the account has no number".to_owned())?,
            home: (*home).to_owned(),
            shell: if login_shell.is_empty() { "/bin/sh" } else { login_shell }.to_owned(),
            shell_runs: runs(login_shell, shell),
            locked: lock == "locked",
            groups: groups.split_ascii_whitespace().map(str::to_owned).collect(),
        })
    }

    /// What the plan makes of it.
    pub(super) fn foreseen_account(&self) -> Option<&ForeseenAccount> {
        self.foreseen.accounts.get(&self.login.user)
    }

    /// The account as it will stand.
    pub(super) fn account_then(&self, now: &Account) -> Account {
        let mut then = now.clone();
        let Some(foreseen) = self.foreseen_account() else { return self.with_memberships(then) };
        if let Some(shell) = &foreseen.shell {
            then.shell.clone_from(shell);
            let refuses = matches!(shell.rsplit('/').next(), Some("nologin" | "false"));
            let is_there = self.text(SHELL).is_ok_and(|answer| answer.trim() == "runs");
            then.shell_runs = if refuses { Some(false) } else { is_there.then_some(true) };
        }
        if let Some(home) = &foreseen.home {
            then.home.clone_from(home);
        }
        then.uid = foreseen.uid.unwrap_or(now.uid);
        then.locked = foreseen.locked.unwrap_or(now.locked);
        if foreseen.groups_only {
            let primary = now.groups.first().cloned();
            then.groups = primary.into_iter().chain(foreseen.groups.iter().cloned()).collect();
        } else {
            then.groups.extend(foreseen.groups.iter().cloned());
        }
        if let Some(group) = &foreseen.group {
            match then.groups.first_mut() {
                Some(primary) => primary.clone_from(group),
                None => then.groups.push(group.clone()),
            }
        }
        self.with_memberships(then)
    }

    fn with_memberships(&self, mut account: Account) -> Account {
        for (group, (is_member, _)) in &self.foreseen.memberships {
            account.groups.retain(|known| known != group);
            if *is_member {
                account.groups.push(group.clone());
            }
        }
        account
    }

    /// Who changes the account that we log in with.
    pub(super) fn account_origin(&self) -> Option<Origin> {
        let account = self.foreseen_account().map(|account| &account.origin);
        account.or_else(|| self.foreseen.memberships.values().next().map(|(_, origin)| origin)).cloned()
    }
}
