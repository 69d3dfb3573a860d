//! Owns the order in which the ways to one host are tried, when the next one is, and the words for those that failed.
//!
//! Must not know how a connection is made. A way on which somebody answers with a key that is not the host's ends it all:
//! the next way would prove itself, but whoever stands in the first must not pass unnoticed.

use super::route::{Route, Way};
use super::{Elsewhere, Target, TransportError};

/// By which of several ways a connection came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position among the host's candidates.
    pub at: usize,
    /// `user@address:port`, and through what where that alone tells it from another one.
    pub way: String,
    /// The ways before it, and why they were not taken.
    pub passed: Vec<Passed>,
}

/// A way that was tried and not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// `user@address:port`, and through what where that alone tells it from another one.
    pub way: String,
    /// In words.
    pub why: String,
}

/// The routes of all ways to `target`, in order, each with its position; what is written twice is tried once.
pub(super) fn routes(target: &Target) -> Result<Vec<(usize, Route)>, TransportError> {
    let mut routes: Vec<(usize, Route)> = Vec::new();
    for at in 0..target.candidates.len().max(1) {
        let route = Route::of(&target.by(at))?;
        if !routes.iter().any(|(_, known)| known.words() == route.words() && known.way == route.way) {
            routes.push((at, route));
        }
    }
    let mut names: Vec<String> = routes.iter().map(|(_, route)| route.known_as()).collect();
    for place in &target.also_at {
        names.push(Route::of(&target.elsewhere(place))?.known_as());
    }
    for (_, route) in &mut routes {
        let own = route.known_as();
        route.siblings = names.iter().filter(|name| **name != own).cloned().collect();
    }
    Ok(routes)
}

impl Target {
    /// The host by the one of its ways that is called so, see [`Entry::way`]; `None` = it has no such way, whoever is told
    /// to log in.
    ///
    /// # Errors
    /// Its ways cannot be told, as where ssh_config is wrong.
    pub fn by_way(&self, way: &str) -> Result<Option<Target>, TransportError> {
        self.one_of(&|name| name == way)
    }

    /// The host by a way to the same place as the one that is called so, whoever logs in there; `None` = the place is none of
    /// this host's any more.
    ///
    /// # Errors
    /// As with [`Target::by_way`].
    pub fn by_place(&self, way: &str) -> Result<Option<Target>, TransportError> {
        self.one_of(&|name| place(name) == place(way))
    }

    fn one_of(&self, fits: &dyn Fn(&str) -> bool) -> Result<Option<Target>, TransportError> {
        let routes = routes(self)?;
        if let Some(at) = names(&routes).iter().position(|name| fits(name)) {
            return Ok(Some(self.by(routes[at].0)));
        }
        self.as_listed.as_ref().map_or(Ok(None), |listed| listed.one_of(fits))
    }

    fn elsewhere(&self, place: &Elsewhere) -> Target {
        let Elsewhere { address, port, user } = place.clone();
        Target { address, port, user, candidates: Vec::new(), as_listed: None, also_at: Vec::new(), ..self.clone() }
    }
}

// `address:port` of what a way is called. How it gets there is said only where two ways are to be told apart.
fn place(way: &str) -> &str {
    let words = way.split(' ').next().unwrap_or(way);
    words.rsplit_once('@').map_or(words, |(_, place)| place)
}

// What each is called: two may lead to one place, one through a bastion and one directly.
fn names(routes: &[(usize, Route)]) -> Vec<String> {
    let name = |(_, route): &(usize, Route)| {
        let words = route.words();
        if routes.iter().filter(|(_, other)| other.words() == words).count() == 1 {
            return words;
        }
        match &route.way {
            Way::Direct => format!("{words} directly"),
            Way::Jump(hops) => format!("{words} through {}", hops.join(",")),
            Way::Command(_) => format!("{words} by its ProxyCommand"),
        }
    };
    routes.iter().map(name).collect()
}

/// Makes `attempt` on each way until one succeeds; gives what came of it, the route, and how that was found where there
/// are several.
pub(super) fn first<T>(
    target: &Target,
    mut attempt: impl FnMut(&Route) -> Result<T, TransportError>,
) -> Result<(T, Route, Option<Entry>), TransportError> {
    let routes = routes(target)?;
    let names = names(&routes);
    let several = !target.candidates.is_empty();
    let count = routes.len();
    let mut failures: Vec<(Passed, TransportError)> = Vec::new();
    for ((at, route), way) in routes.into_iter().zip(names) {
        match attempt(&route) {
            Ok(done) => {
                let passed = failures.into_iter().map(|(passed, _)| passed).collect();
                let entry = several.then_some(Entry { at, way, passed });
                return Ok((done, route, entry));
            }
            Err(TransportError::HostKey { host, address, reason }) => {
                let left = count - failures.len() - 1;
                let reason = match left {
                    0 => reason,
                    left => format!(
                        "{reason}; the {left} other way{} to it {} not tried: who answers with another key may be \
                         anybody",
                        if left == 1 { "" } else { "s" },
                        if left == 1 { "was" } else { "were" }
                    ),
                };
                return Err(TransportError::HostKey { host, address, reason });
            }
            Err(error) => failures.push((Passed { way, why: words(&error) }, error)),
        }
    }
    Err(all_failed(target, failures))
}

// Without the host's name, which stands around it.
fn words(error: &TransportError) -> String {
    match error {
        TransportError::Unreachable { reason, .. } => reason.clone(),
        TransportError::Refused { reason, .. } => format!("login refused: {reason}"),
        other => other.to_string(),
    }
}

fn all_failed(target: &Target, mut failures: Vec<(Passed, TransportError)>) -> TransportError {
    if failures.len() == 1
        && let Some((_, error)) = failures.pop()
    {
        return error;
    }
    let count = failures.len();
    let story = failures.iter().map(|(passed, _)| format!("{} ({})", passed.way, passed.why));
    let story = story.collect::<Vec<_>>().join("; ");
    // Who refused us is there; that is another thing than nobody being there.
    let refused = failures.iter().find_map(|(_, error)| match error {
        TransportError::Refused { user, .. } => Some(user.clone()),
        _ => None,
    });
    match refused {
        Some(user) => TransportError::Refused {
            host: target.name.clone(),
            user,
            reason: format!("none of {count} ways leads in: {story}"),
        },
        None => TransportError::Unreachable {
            host: target.name.clone(),
            address: format!("any of {count} addresses"),
            reason: story,
        },
    }
}

#[cfg(test)]
#[path = "ways_tests.rs"]
mod tests;
