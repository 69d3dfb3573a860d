//! Owns the one form into which iptables' and nftables' rules are read. Must not know either's notation.

use std::collections::BTreeMap;

/// Which packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Ip,
    Ip6,
    Inet,
    Netdev,
    Bridge,
    Arp,
}

impl Family {
    pub(super) fn word(self) -> &'static str {
        match self {
            Family::Ip => "ip",
            Family::Ip6 => "ip6",
            Family::Inet => "inet",
            Family::Netdev => "netdev",
            Family::Bridge => "bridge",
            Family::Arp => "arp",
        }
    }
}

/// Where a base chain stands in the way of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    Ingress,
    Prerouting,
    Input,
    Output,
    Postrouting,
    Egress,
    /// Packets for others: none of ours.
    Forward,
}

/// What makes a chain a base chain.
#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) hook: Hook,
    pub(super) priority: i64,
    /// The policy is to drop.
    pub(super) drops: bool,
    /// It only sees the first packet of a connection.
    pub(super) nat: bool,
    /// Ingress and egress chains: the interfaces that they are bound to.
    pub(super) devices: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    pub(super) base: Option<Base>,
    pub(super) rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) family: Family,
    pub(super) name: String,
    pub(super) chains: BTreeMap<String, Chain>,
    /// Kept by iptables alone, so that nft does not see it.
    pub(super) legacy: bool,
    /// It may be dormant: this cannot be read.
    pub(super) perhaps_asleep: bool,
}

impl Table {
    pub(super) fn new(family: Family, name: &str) -> Self {
        Self { family, name: name.to_owned(), chains: BTreeMap::new(), legacy: false, perhaps_asleep: false }
    }

    pub(super) fn is(&self, family: Family, name: &str) -> bool {
        self.family == family && self.name == name
    }
}

/// A rule: its statements are run in order until one does not match.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    /// As a person would write it.
    pub(super) text: String,
    pub(super) statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub(super) enum Statement {
    Test(Test),
    Act(Action),
    /// A verdict map: what the first entry that fits does; nothing where none fits.
    Branch(Vec<(Test, Action)>),
}

/// What a rule does with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Accept,
    /// Drops or rejects it.
    Stop,
    Jump(String),
    Goto(String),
    Return,
    /// Logs, counts, and the like.
    Nothing,
    /// Sets the packet's mark; `None` = to what cannot be told.
    Mark(Option<u32>),
    /// Sets the connection's mark.
    ConnectionMark(Option<u32>),
    /// No connection tracking for it.
    Untrack,
    /// Tracks it in a way that cannot be told.
    TrackOtherwise,
    /// Sends it to another address or port.
    Elsewhere,
    /// Anything may come of it, and why.
    Unknown(String),
}

/// What can be asked of a packet, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Source {
        v6: bool,
    },
    Destination {
        v6: bool,
    },
    SourcePort,
    DestinationPort,
    /// The transport protocol.
    Protocol,
    /// 2 for IPv4, 10 for IPv6.
    Family,
    EtherType,
    IcmpType {
        v6: bool,
    },
    HopLimit {
        v6: bool,
    },
    TcpFlags,
    /// nftables' bits of `ct state`.
    State,
    /// 0 original, 1 reply.
    Direction,
    Mark,
    ConnectionMark,
    /// 0 to this host, 1 broadcast, 2 multicast.
    PacketType,
    /// The route's type of an address: 1 unicast, 2 local, 3 broadcast, 5 multicast.
    SourceType,
    DestinationType,
    /// The connection's addresses and ports, as its first packet had them (unless redirected).
    FirstSource {
        v6: bool,
    },
    FirstDestination {
        v6: bool,
    },
    FirstDestinationPort,
}

/// The bits of [`Field::State`].
pub(super) const INVALID: u128 = 1;
pub(super) const ESTABLISHED: u128 = 2;
pub(super) const RELATED: u128 = 4;
pub(super) const NEW: u128 = 8;
pub(super) const UNTRACKED: u128 = 64;

/// A question about a packet.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Always,
    Never,
    /// Nobody can tell, and why.
    Unknown(String),
    /// The packet has such a field.
    Has(Field),
    /// The field, under the mask, is between two numbers, both included.
    Within {
        field: Field,
        mask: u128,
        low: u128,
        high: u128,
    },
    /// The interface has this name, or begins with it.
    Interface {
        out: bool,
        name: String,
        prefix: bool,
    },
    Not(Box<Test>),
    All(Vec<Test>),
    Any(Vec<Test>),
    /// The routes lead back to the source by the interface that it came in by.
    ReturnPath,
    /// `-m recent`.
    Recent(Recent),
    /// A rate for each source on its own; matches while (or, `over`, once) more than `burst` packets came.
    Rate {
        burst: u32,
        over: bool,
    },
}

/// A question to a list of `-m recent`.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    pub(super) list: String,
    /// Enters the source; otherwise it is looked up.
    pub(super) set: bool,
    pub(super) seconds: Option<u32>,
    pub(super) hits: Option<u32>,
}

impl Test {
    pub(super) fn is(field: Field, value: u128) -> Test {
        Test::Within { field, mask: u128::MAX, low: value, high: value }
    }

    pub(super) fn between(field: Field, low: u128, high: u128) -> Test {
        Test::Within { field, mask: u128::MAX, low, high }
    }

    /// At least one of these bits is set.
    pub(super) fn some_bit(field: Field, bits: u128) -> Test {
        Test::All(vec![Test::Has(field), Test::Not(Box::new(Test::Within { field, mask: bits, low: 0, high: 0 }))])
    }

    /// The opposite; a packet without the field matches neither.
    pub(super) fn negated(self, fields: &[Field]) -> Test {
        let mut all: Vec<Test> = fields.iter().map(|field| Test::Has(*field)).collect();
        all.push(Test::Not(Box::new(self)));
        Test::All(all)
    }

    /// It looks at the state of the connection.
    pub(super) fn asks_state(&self) -> bool {
        match self {
            Test::Within { field: Field::State, .. } => true,
            Test::Not(inner) => inner.asks_state(),
            Test::All(all) | Test::Any(all) => all.iter().any(Test::asks_state),
            _ => false,
        }
    }
}
