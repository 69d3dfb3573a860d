//! Owns what a change of ufw's settings will make of the way in.

use super::tuple::Tuple;
use super::{FirewallUfw, Policy};
use crate::resource::{Foreseen, ForeseenSwitch};

impl FirewallUfw {
    pub(super) fn foresee_switch(&self, foreseen: &mut Foreseen) {
        let keys: Vec<String> = self.declared.iter().map(Tuple::key).collect();
        let switch = ForeseenSwitch {
            enabled: self.enabled,
            incoming: target(self.incoming),
            outgoing: self.outgoing.map(target),
            ipv6: self.ipv6,
            only: self.exclusive.then(|| keys.clone()),
            origin: foreseen.origin(),
        };
        let ufw = foreseen.ufw();
        ufw.switch = Some(switch);
        ufw.orders.push(keys);
    }
}

// As iptables and ufw's own files name it.
fn target(policy: Policy) -> &'static str {
    match policy {
        Policy::Allow => "ACCEPT",
        Policy::Deny => "DROP",
        Policy::Reject => "REJECT",
    }
}
