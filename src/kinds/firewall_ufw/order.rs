//! Owns the order of rules: of several that fit, ufw takes the first.

use std::collections::{HashMap, HashSet};

use super::FirewallUfw;
use super::host::Host;
use super::tuple::Tuple;

/// Where the declared rules of a host must stand, towards one another and before what would leave them without effect.
pub(in crate::kinds) struct Order<'a> {
    /// The keys in that order; rules of others stand among them where they must move.
    pub keys: Vec<String>,
    places: HashMap<String, usize>,
    // The last place that is taken on the host, of each address family.
    lasts: [usize; 2],
    shadows: HashMap<String, Vec<&'a Tuple>>,
}

impl<'a> Order<'a> {
    /// From the declared rules in order and a host's; `is_declared` says whether a playbook speaks of a key at all.
    pub fn of<'b>(
        wanted: impl Iterator<Item = &'b Tuple>,
        host: &'a Host,
        is_declared: impl Fn(&str) -> bool,
    ) -> Order<'a> {
        let on_host: HashMap<String, usize> =
            host.tuples.iter().enumerate().map(|(place, tuple)| (tuple.key(), place)).collect();
        let foreign = host.tuples.iter().enumerate().filter(|(_, tuple)| !is_declared(&tuple.key()));
        let foreign: Vec<(usize, &Tuple)> = foreign.collect();
        let mut order = Order { keys: Vec::new(), places: HashMap::new(), lasts: [0, 0], shadows: HashMap::new() };
        let mut behind: HashMap<usize, usize> = HashMap::new();
        let mut declared = Vec::new();
        for tuple in wanted {
            let key = tuple.key();
            if order.places.contains_key(&key) {
                continue;
            }
            let place = declared.len();
            if on_host.contains_key(&key) {
                order.lasts[usize::from(tuple.v6)] = place;
            }
            let stands = on_host.get(&key).copied().unwrap_or(usize::MAX);
            let before = foreign.iter().filter(|(at, other)| *at < stands && other.shadows(tuple));
            let before: Vec<&(usize, &Tuple)> = before.collect();
            behind.extend(before.iter().map(|(at, _)| (*at, place)));
            order.shadows.insert(key.clone(), before.iter().map(|(_, other)| *other).collect());
            order.places.insert(key.clone(), place);
            declared.push(key);
        }
        // A shadow moves right behind the last rule that it hides, and no further.
        for (place, key) in declared.into_iter().enumerate() {
            order.keys.push(key);
            let moved = foreign.iter().filter(|(at, _)| behind.get(at) == Some(&place));
            order.keys.extend(moved.map(|(_, other)| other.key()));
        }
        order
    }

    /// The rules of others that stand before these and leave them without effect.
    pub fn shadows<'b>(&self, wanted: impl Iterator<Item = &'b Tuple>) -> Vec<&'a Tuple> {
        wanted.filter_map(|tuple| self.shadows.get(&tuple.key())).flatten().copied().collect()
    }

    /// Whether it is missing, and rules that must come after it are there already.
    pub fn is_early(&self, tuple: &Tuple, host: &Host) -> bool {
        let key = tuple.key();
        let place = self.places.get(&key).copied().unwrap_or(usize::MAX);
        place < self.lasts[usize::from(tuple.v6)] && !host.tuples.iter().any(|seen| seen.key() == key)
    }
}

impl FirewallUfw {
    // The declared rules in the order of the host. What is missing stays in its place, where adding it will put it.
    pub(super) fn order_on(&self, host: &Host) -> Vec<String> {
        let declared: HashMap<String, &Tuple> = self.declared.iter().map(|tuple| (tuple.key(), tuple)).collect();
        let there: HashSet<String> = host.tuples.iter().map(Tuple::key).collect();
        let mut next = host.tuples.iter().filter_map(|tuple| declared.get(&tuple.key()));
        let in_order = self.declared.iter().map(|tuple| {
            let stands = there.contains(&tuple.key()).then(|| next.next()).flatten();
            stands.map_or_else(|| tuple.text(), |stands| stands.text())
        });
        in_order.collect()
    }
}
