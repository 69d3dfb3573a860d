//! Owns what is known of one packet at one place of its way, and the three answers to a question about it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Packet;
use super::rule::{ESTABLISHED, Field, INVALID, NEW, Recent, Test, UNTRACKED};
use super::words::address;

/// The packets that must pass for a connection, in order. Over IPv6, the others on the link first have to find the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A neighbour asks for the host's address.
    Solicitation,
    /// The host answers it.
    Advertisement,
    /// The host asks for the neighbour's, which it may know already.
    OwnSolicitation,
    /// The neighbour answers it.
    TheirAdvertisement,
    First,
    Answer,
    Third,
}

impl Step {
    pub(super) fn is_in(self) -> bool {
        matches!(self, Step::Solicitation | Step::TheirAdvertisement | Step::First | Step::Third)
    }

    /// It belongs to no connection.
    pub(super) fn is_discovery(self) -> bool {
        !matches!(self, Step::First | Step::Answer | Step::Third)
    }

    /// What it is, where it is not the connection's first packet.
    pub(super) fn note(self) -> &'static str {
        match self {
            Step::Solicitation | Step::OwnSolicitation => {
                " (for neighbour solicitations, without which nobody finds an IPv6 address)"
            }
            Step::Advertisement | Step::TheirAdvertisement => {
                " (for neighbour advertisements, without which nobody finds an IPv6 address)"
            }
            Step::First => "",
            Step::Answer => " (for the host's answer)",
            Step::Third => " (for packets after the first)",
        }
    }
}

/// What connection tracking makes of the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tracking {
    Usual,
    Untracked,
    Unknown,
}

/// How sure something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    Maybe(String),
}

/// What is known of a field.
enum Value {
    /// The packet has no such field.
    Absent,
    Bits {
        value: u128,
        known: u128,
    },
    Between(u128, u128),
    Unknown(&'static str),
}

/// One packet at one hook.
#[derive(Clone, Debug)]
pub(super) struct Moment<'a> {
    pub(super) packet: &'a Packet,
    pub(super) step: Step,
    /// Before connection tracking has seen it; `None` = that depends on what was loaded first.
    pub(super) early: Option<bool>,
    pub(super) tracking: Tracking,
    pub(super) mark: Option<u32>,
    pub(super) connection_mark: Option<u32>,
    /// Lists of `-m recent` that this packet was entered into; false = perhaps.
    pub(super) lists: BTreeMap<String, bool>,
    /// The hook is one of output.
    pub(super) leaving: bool,
}

impl Moment<'_> {
    /// The addresses as this packet has them.
    fn ends(&self) -> (Value, Value) {
        let number = |ip: IpAddr| exact(address(ip).1);
        let (from, to) = (self.packet.from, self.packet.to);
        match self.step {
            Step::First | Step::Third => (number(from), number(to)),
            Step::Answer => (number(to), number(from)),
            Step::Solicitation => (self.neighbour(), exact(solicited(to))),
            Step::Advertisement => (number(to), self.neighbour()),
            Step::OwnSolicitation => (number(to), Value::Unknown("whom the host asks is not known")),
            Step::TheirAdvertisement => (self.neighbour(), number(to)),
        }
    }

    // Who asks for our address: we ourselves on the same link, else a router that we do not know.
    fn neighbour(&self) -> Value {
        let (from, to) = (address(self.packet.from).1, address(self.packet.to).1);
        if from >> 64 == to >> 64 { exact(from) } else { Value::Unknown("the next router's address is not known") }
    }

    fn is_v6(&self) -> bool {
        self.packet.to.is_ipv6()
    }

    fn value(&self, field: Field) -> Value {
        let v6 = self.is_v6();
        let discovery = self.step.is_discovery();
        match field {
            Field::Source { v6: asked }
            | Field::Destination { v6: asked }
            | Field::FirstSource { v6: asked }
            | Field::FirstDestination { v6: asked }
            | Field::HopLimit { v6: asked }
            | Field::IcmpType { v6: asked }
                if asked != v6 =>
            {
                Value::Absent
            }
            Field::Source { .. } => self.ends().0,
            Field::Destination { .. } => self.ends().1,
            Field::HopLimit { .. } if discovery => exact(255),
            Field::HopLimit { .. } => Value::Unknown("how many hops a packet has left is not known"),
            Field::IcmpType { .. } => match self.step {
                Step::Solicitation | Step::OwnSolicitation => exact(135),
                Step::Advertisement | Step::TheirAdvertisement => exact(136),
                _ => Value::Absent,
            },
            Field::SourcePort | Field::DestinationPort | Field::TcpFlags if discovery => Value::Absent,
            Field::SourcePort => self.ports().0,
            Field::DestinationPort => self.ports().1,
            Field::TcpFlags => match self.step {
                Step::First => Value::Bits { value: 0x02, known: !0xc0 },
                Step::Answer => Value::Bits { value: 0x12, known: !0xc0 },
                _ => Value::Bits { value: 0x10, known: !0xc8 },
            },
            Field::Protocol => exact(if discovery { 58 } else { 6 }),
            Field::Family => exact(if v6 { 10 } else { 2 }),
            Field::EtherType => exact(if v6 { 0x86dd } else { 0x0800 }),
            Field::State => self.state(),
            Field::Direction | Field::FirstSource { .. } | Field::FirstDestination { .. }
                if self.early != Some(false) || self.tracking != Tracking::Usual || discovery =>
            {
                Value::Unknown("it is not known whether the connection is tracked")
            }
            Field::FirstDestinationPort
                if self.early != Some(false) || self.tracking != Tracking::Usual || discovery =>
            {
                Value::Unknown("it is not known whether the connection is tracked")
            }
            Field::Direction => exact(u128::from(self.step == Step::Answer)),
            Field::FirstSource { .. } => exact(address(self.packet.from).1),
            Field::FirstDestination { .. } => exact(address(self.packet.to).1),
            Field::FirstDestinationPort => exact(self.packet.port.into()),
            Field::Mark => {
                self.mark.map_or(Value::Unknown("the packet's mark is not known"), |mark| exact(mark.into()))
            }
            Field::ConnectionMark => self
                .connection_mark
                .map_or(Value::Unknown("the connection's mark is not known"), |mark| exact(mark.into())),
            Field::PacketType if self.leaving => Value::Unknown("a packet that leaves has no kind"),
            Field::PacketType => exact(if self.step == Step::Solicitation { 2 } else { 0 }),
            Field::SourceType | Field::DestinationType => self.route(field),
        }
    }

    fn ports(&self) -> (Value, Value) {
        let ours = || Value::Between(1024, 65535);
        let its = || exact(self.packet.port.into());
        if self.step == Step::Answer { (its(), ours()) } else { (ours(), its()) }
    }

    fn state(&self) -> Value {
        let usual = match self.step {
            Step::First => NEW,
            Step::Answer | Step::Third => ESTABLISHED,
            _ => UNTRACKED,
        };
        match (self.tracking, self.early) {
            (Tracking::Untracked, _) => exact(UNTRACKED),
            (Tracking::Unknown, _) => Value::Unknown("it is not known whether the connection is tracked"),
            (_, Some(true)) => exact(INVALID),
            (_, None) => Value::Unknown("connection tracking may come before or after this chain"),
            (_, Some(false)) => exact(usual),
        }
    }

    // The kernel's type of an address, as its routes have it.
    fn route(&self, field: Field) -> Value {
        let source = field == Field::SourceType;
        let (from, to) = (self.packet.from, self.packet.to);
        let own = from == to || from.is_loopback();
        match (self.step, source) {
            (Step::Solicitation, false) => exact(5),
            (Step::First | Step::Third | Step::TheirAdvertisement, false) => exact(2),
            (Step::Answer | Step::Advertisement | Step::OwnSolicitation, true) => exact(2),
            (Step::OwnSolicitation, false) => Value::Unknown("whom the host asks is not known"),
            _ => exact(if own { 2 } else { 1 }),
        }
    }

    fn interface(&self, out: bool) -> Option<&str> {
        if out != self.leaving {
            return Some("");
        }
        self.packet.interface.as_deref()
    }

    /// The answer to a question.
    pub(super) fn answer(&self, test: &Test) -> Answer {
        match test {
            Test::Always => Answer::Yes,
            Test::Never => Answer::No,
            Test::Unknown(why) => Answer::Maybe(why.clone()),
            Test::Has(field) => match self.value(*field) {
                Value::Absent => Answer::No,
                _ => Answer::Yes,
            },
            Test::Within { field, mask, low, high } => within(&self.value(*field), *mask, *low, *high),
            Test::Interface { out, name, prefix } => self.named(*out, name, *prefix),
            Test::Not(inner) => match self.answer(inner) {
                Answer::Yes => Answer::No,
                Answer::No => Answer::Yes,
                maybe => maybe,
            },
            Test::All(tests) => self.fold(tests, &Answer::No, Answer::Yes),
            Test::Any(tests) => self.fold(tests, &Answer::Yes, Answer::No),
            // The interface is the one that answers leave by: who names it says so.
            Test::ReturnPath if self.packet.interface.is_some() && !self.leaving => Answer::Yes,
            Test::ReturnPath => Answer::Maybe("what the routes say is not known".into()),
            Test::Recent(recent) => self.recent(recent),
            Test::Rate { burst, over } => {
                if self.step == Step::First && self.packet.connections <= *burst {
                    yes(!over)
                } else {
                    Answer::Maybe("how many packets came before is not known".into())
                }
            }
        }
    }

    // One answer like `deciding` decides; without it, any that cannot be told is the answer.
    fn fold(&self, tests: &[Test], deciding: &Answer, otherwise: Answer) -> Answer {
        let mut open = None;
        for test in tests {
            match self.answer(test) {
                answer if answer == *deciding => return answer,
                maybe @ Answer::Maybe(_) => open = open.or(Some(maybe)),
                _ => {}
            }
        }
        open.unwrap_or(otherwise)
    }

    fn named(&self, out: bool, name: &str, prefix: bool) -> Answer {
        let Some(is) = self.interface(out) else {
            let own = self.packet.from == self.packet.to || self.packet.from.is_loopback();
            return if name == "lo" && !prefix && !own {
                Answer::No
            } else {
                Answer::Maybe("the interface is not known".into())
            };
        };
        yes(if prefix { is.starts_with(name) } else { is == name })
    }

    fn recent(&self, recent: &Recent) -> Answer {
        if recent.set {
            return Answer::Yes;
        }
        let unknown = |why: &str| Answer::Maybe(format!("the list `{}`: {why}", recent.list));
        let Some(hits) = recent.hits else {
            return unknown("whether our address is on it is not known");
        };
        if self.step != Step::First {
            return unknown("how often our address was seen is not known");
        }
        if recent.seconds.is_none_or(|seconds| seconds > 60) {
            return unknown("how often our address was seen in more than a minute is not known");
        }
        let ours = self.packet.connections.max(1);
        match self.lists.get(&recent.list) {
            Some(true) => yes(ours >= hits),
            _ if ours < hits => Answer::No,
            _ => unknown("whether it counts our connections is not known"),
        }
    }
}

// The group that a neighbour solicitation goes to (RFC 4291).
fn solicited(to: IpAddr) -> u128 {
    (0xff02 << 112) | (1 << 32) | 0xff00_0000 | (address(to).1 & 0xff_ffff)
}

fn exact(value: u128) -> Value {
    Value::Bits { value, known: u128::MAX }
}

fn yes(is: bool) -> Answer {
    if is { Answer::Yes } else { Answer::No }
}

fn within(value: &Value, mask: u128, low: u128, high: u128) -> Answer {
    match *value {
        Value::Absent => Answer::No,
        Value::Unknown(why) => Answer::Maybe(why.into()),
        Value::Bits { value, known } if mask & !known == 0 => yes((low..=high).contains(&(value & mask))),
        Value::Bits { value, known } => {
            let differs = low == high && (value ^ low) & mask & known != 0;
            if differs { Answer::No } else { Answer::Maybe("some bits are not known".into()) }
        }
        Value::Between(..) if mask & 0xffff != 0xffff => Answer::Maybe("our own port is not known".into()),
        Value::Between(first, last) => {
            if low <= first && last <= high {
                Answer::Yes
            } else if high < first || last < low {
                Answer::No
            } else {
                Answer::Maybe("our own port is not known".into())
            }
        }
    }
}
