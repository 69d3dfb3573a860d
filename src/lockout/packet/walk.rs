//! Owns the way of a packet through the chains: which ends it may have, and by which rule.

use super::moment::{Answer, Moment, Step, Tracking};
use super::rule::{Action, Rule, Statement, Table, Test};

/// How deep chains may call one another; the kernel's own limit for nftables.
const DEEPEST: u32 = 16;
/// How many rules are looked at for one chain, so that chains that fan out end, too.
const MOST: u32 = 200_000;

/// A rule that could not be told, and where it may lead.
#[derive(Clone, Debug)]
struct Doubt {
    by: String,
    why: String,
    accepts: bool,
    stops: bool,
}

/// The ends that a packet may have in a chain; more than one where a rule could not be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    /// Let on, and by which rule.
    pub(super) accept: Option<String>,
    /// Dropped or rejected.
    pub(super) stop: Option<String>,
    /// Sent to another address or port.
    pub(super) elsewhere: Option<String>,
    /// The chain's end, or a return.
    past: bool,
    doubts: Vec<Doubt>,
}

impl Ends {
    /// The rule to blame when it is not sure what happens, and what of it is not known.
    pub(super) fn doubt(&self) -> (String, String) {
        let contrary = self.doubts.iter().find(|doubt| doubt.accepts != doubt.stops);
        match contrary.or(self.doubts.first()) {
            Some(doubt) => (doubt.by.clone(), doubt.why.clone()),
            None => (String::new(), "it may end in more than one way".into()),
        }
    }

    fn unknown(by: &str, why: &str) -> Self {
        Ends {
            accept: Some(by.to_owned()),
            stop: Some(by.to_owned()),
            past: true,
            doubts: vec![Doubt { by: by.to_owned(), why: why.to_owned(), accepts: true, stops: true }],
            elsewhere: None,
        }
    }
}

/// A packet on its way through one base chain of one table.
pub(super) struct Walk<'a, 'p> {
    table: &'a Table,
    pub(super) moment: Moment<'p>,
    left: u32,
}

impl<'a, 'p> Walk<'a, 'p> {
    pub(super) fn new(table: &'a Table, moment: Moment<'p>) -> Self {
        Self { table, moment, left: MOST }
    }

    /// All ends in a base chain, and whether nothing but its policy accepts.
    pub(super) fn base(&mut self, name: &str) -> (Ends, bool) {
        let mut ends = self.chain(name, 0);
        let by_policy = ends.accept.is_none();
        if let (true, Some(base)) = (ends.past, self.table.chains.get(name).and_then(|chain| chain.base.as_ref())) {
            let place = format!("table {} {}, the policy of {name}", self.table.family.word(), self.table.name);
            let policy = if base.drops { "DROP" } else { "ACCEPT" };
            let by = format!("{place}: {policy}");
            if base.drops { ends.stop = ends.stop.or(Some(by)) } else { ends.accept = ends.accept.or(Some(by)) }
        }
        (ends, by_policy)
    }

    fn chain(&mut self, name: &str, depth: u32) -> Ends {
        let table = self.table;
        let Some(chain) = table.chains.get(name) else {
            return Ends::unknown(&place(table, name), "there is no such chain");
        };
        if depth > DEEPEST {
            return Ends::unknown(&place(table, name), "chains call one another too deeply");
        }
        let mut ends = Ends::default();
        for rule in &chain.rules {
            if self.left == 0 {
                ends.join(Ends::unknown(&place(table, name), "there are too many rules to follow"), true);
                return ends;
            }
            self.left -= 1;
            if !self.rule(rule, name, depth, &mut ends) {
                return ends;
            }
        }
        ends.past = true;
        ends
    }

    // Whether what follows the rule may still be reached.
    fn rule(&mut self, rule: &Rule, chain: &str, depth: u32, ends: &mut Ends) -> bool {
        let mut open: Option<String> = None;
        for statement in &rule.statements {
            match statement {
                Statement::Test(test) => match self.moment.answer(test) {
                    Answer::Yes => self.enter(test, open.is_none()),
                    Answer::No => return true,
                    Answer::Maybe(why) => open = open.or(Some(why)),
                },
                Statement::Act(action) => {
                    if !self.act(action, rule, chain, depth, open.as_deref(), ends) {
                        return false;
                    }
                }
                Statement::Branch(branches) => {
                    let mut fits = Vec::new();
                    let mut sure = false;
                    for (test, action) in branches {
                        match self.moment.answer(test) {
                            Answer::Yes => {
                                fits.push((action, None));
                                sure = true;
                                break;
                            }
                            Answer::No => {}
                            Answer::Maybe(why) => fits.push((action, Some(why))),
                        }
                    }
                    let mut reached = !sure;
                    let several = fits.len() > 1;
                    for (action, why) in fits {
                        let open = open.clone().or(why).or(several.then(|| "more than one entry may fit".into()));
                        reached |= self.act(action, rule, chain, depth, open.as_deref(), ends);
                    }
                    if !reached {
                        return false;
                    }
                }
            }
        }
        true
    }

    // A list of `-m recent` remembers who was entered.
    fn enter(&mut self, test: &Test, sure: bool) {
        if let Test::Recent(recent) = test
            && recent.set
        {
            *self.moment.lists.entry(recent.list.clone()).or_default() |= sure;
        }
    }

    // Whether what follows may still be reached. `open` = why it is not sure that the action is taken.
    fn act(
        &mut self,
        action: &Action,
        rule: &Rule,
        chain: &str,
        depth: u32,
        open: Option<&str>,
        ends: &mut Ends,
    ) -> bool {
        let table = self.table;
        let by = || format!("{}: {}", place(table, chain), rule.text);
        let sure = open.is_none();
        let mut taken = Ends::default();
        let mut returns = false;
        match action {
            Action::Nothing => return true,
            Action::Mark(mark) => {
                self.moment.mark = (*mark).filter(|_| sure);
                return true;
            }
            Action::ConnectionMark(mark) => {
                self.moment.connection_mark = (*mark).filter(|_| sure);
                return true;
            }
            Action::Untrack | Action::TrackOtherwise => {
                let untracked = sure && *action == Action::Untrack;
                self.moment.tracking = if untracked { Tracking::Untracked } else { Tracking::Unknown };
                return true;
            }
            Action::Accept => taken.accept = Some(by()),
            Action::Stop => taken.stop = Some(by()),
            Action::Elsewhere => taken.elsewhere = Some(by()),
            Action::Unknown(why) => taken = Ends::unknown(&by(), why),
            Action::Return => returns = true,
            Action::Jump(to) => taken = self.chain(to, depth + 1),
            Action::Goto(to) => {
                taken = self.chain(to, depth + 1);
                returns = std::mem::take(&mut taken.past);
            }
        }
        if let Some(why) = open {
            let (accepts, stops) = (taken.accept.is_some(), taken.stop.is_some() || taken.elsewhere.is_some());
            if accepts || stops || returns {
                ends.doubts.push(Doubt { by: by(), why: why.to_owned(), accepts, stops });
            }
        }
        let on = taken.past || !sure;
        ends.past |= returns;
        ends.join(taken, sure);
        on
    }
}

fn place(table: &Table, chain: &str) -> String {
    format!("table {} {}, chain {chain}", table.family.word(), table.name)
}

impl Ends {
    // Adds the ends of a part; one that is sure names the rule.
    fn join(&mut self, part: Ends, sure: bool) {
        let decides = sure && !part.past;
        let join = |mine: &mut Option<String>, its: Option<String>| {
            if its.is_some() && (decides || mine.is_none()) {
                *mine = its;
            }
        };
        join(&mut self.accept, part.accept);
        join(&mut self.stop, part.stop);
        join(&mut self.elsewhere, part.elsewhere);
        self.doubts.extend(part.doubts);
        self.doubts.truncate(64);
    }
}

/// Which packets must pass: IPv6 needs neighbour discovery first.
pub(super) fn steps(v6: bool) -> &'static [Step] {
    if v6 {
        &[
            Step::Solicitation,
            Step::Advertisement,
            Step::OwnSolicitation,
            Step::TheirAdvertisement,
            Step::First,
            Step::Answer,
            Step::Third,
        ]
    } else {
        &[Step::First, Step::Answer, Step::Third]
    }
}
