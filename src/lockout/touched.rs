//! Owns which parts of the way in a plan touches: only those are asked about and judged.

use crate::resource::{Foreseen, is_before_keys};

/// Which parts of the way in a plan touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    pub ufw: bool,
    pub nft: bool,
    /// The table of nftables that is ours.
    pub table: bool,
    pub iptables: bool,
    pub sshd: bool,
    pub keys: bool,
    pub account: bool,
    pub sudo: bool,
    pub wrappers: bool,
}

impl Touched {
    /// By these changes, for this login.
    pub fn by(foreseen: &Foreseen, user: &str) -> Touched {
        let any = |what: &dyn Fn(&str) -> bool| foreseen.files.keys().any(|path| what(path));
        let account = foreseen.accounts.get(user);
        let starts = |unit: &str| {
            foreseen.units.get(unit).is_some_and(|unit| unit.active == Some(true) || unit.enabled == Some(true))
        };
        Touched {
            ufw: foreseen.ufw.is_some() || any(&|path| path.starts_with("/etc/ufw/") || path == "/etc/default/ufw"),
            nft: any(&|path| path.starts_with("/etc/nftables") || path.ends_with(".nft")) || starts("nftables.service"),
            table: foreseen.nft.is_some(),
            iptables: any(&|path| path.starts_with("/etc/iptables/")),
            sshd: foreseen.sshd_include
                || foreseen.socket.is_some()
                || any(&|path| path.starts_with("/etc/ssh/") && !path.contains("authorized_keys")),
            keys: any(&|path| path.contains("/.ssh/") || path.contains("authorized_keys") || is_before_keys(path)),
            account: account.is_some() || !foreseen.memberships.is_empty(),
            sudo: account
                .is_some_and(|account| account.groups_only || !account.groups.is_empty() || account.uid.is_some())
                || !foreseen.memberships.is_empty()
                || foreseen.removed.contains_key("sudo")
                || any(&|path| path.starts_with("/etc/sudo")),
            wrappers: any(&|path| path.starts_with("/etc/hosts.")),
        }
    }

    /// Whether packet filters are among them.
    pub fn firewall(self) -> bool {
        self.ufw || self.nft || self.table || self.iptables
    }
}
