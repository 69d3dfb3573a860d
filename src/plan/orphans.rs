//! Owns what is left over on a host: what rempart made there and no playbook of a run declares any more.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Graph;
use crate::model::HostName;
use crate::resource::Provision;

/// What a host remembers of something that rempart made there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Made {
    /// `kind:key`.
    pub id: String,
    /// The playbook that declared it.
    pub playbook: String,
    /// The site that the playbook was a part of; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub site: String,
    /// The run that made it.
    pub run: String,
}

/// Something that rempart made and nobody declares any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Orphan {
    /// What, by whom, and when.
    #[serde(flatten)]
    pub made: Made,
    /// Why rempart will not remove it, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// What is left over on one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Leftovers {
    /// What nobody declares any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orphans: Vec<Orphan>,
    /// What only a run of its site can judge.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub of_other_sites: Vec<Made>,
    /// Why it cannot be told what is left over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orphans_unknown: Option<String>,
}

impl Leftovers {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Leftovers::default()
    }
}

/// What a run declares, before anything of it is selected: by this it is judged what is left over.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    site: Option<String>,
    playbooks: BTreeSet<String>,
    declared: BTreeMap<HostName, BTreeSet<String>>,
    used: BTreeMap<HostName, BTreeSet<Provision>>,
    incomplete: BTreeMap<HostName, String>,
}

impl Scope {
    /// The scope of a whole graph. `parts` gives the ids of what a resource makes, where those are several.
    pub fn of(
        graph: &Graph,
        site: Option<String>,
        playbooks: impl IntoIterator<Item = String>,
        parts: &dyn Fn(&str, &str) -> Vec<String>,
    ) -> Scope {
        let mut scope = Scope { site, playbooks: playbooks.into_iter().collect(), ..Scope::default() };
        for item in &graph.items {
            let id = item.id();
            scope.declared.entry(item.host.clone()).or_default().extend(parts(id.kind, &id.key));
            scope.used.entry(item.host.clone()).or_default().extend(item.resource.uses());
            if item.unread().is_some() {
                scope.incomplete.insert(item.host.clone(), format!("{id} waits for facts"));
            }
        }
        scope
    }

    /// The site of the run; empty for none.
    pub fn site(&self) -> &str {
        self.site.as_deref().unwrap_or_default()
    }

    /// What is left over on a host of what it remembers.
    pub fn leftovers(&self, host: &HostName, remembered: &[Made]) -> Leftovers {
        let mut left = Leftovers::default();
        let declared = |made: &&Made| !self.declared.get(host).is_some_and(|ids| ids.contains(&made.id));
        let mut of_this_run = false;
        for made in remembered.iter().filter(declared) {
            // A playbook of a site may hand a resource on to another one: only the whole site tells.
            let same_site = made.site == self.site();
            let has_playbook = self.playbooks.contains(&made.playbook);
            if (has_playbook && (same_site || made.site.is_empty())) || (same_site && !made.site.is_empty()) {
                of_this_run = true;
                left.orphans.push(Orphan { made: made.clone(), kept: None });
            } else if has_playbook {
                left.of_other_sites.push(made.clone());
            }
        }
        if let (true, Some(why)) = (of_this_run, self.incomplete.get(host)) {
            return Leftovers { orphans_unknown: Some(why.clone()), ..Leftovers::default() };
        }
        left.orphans.sort_by(|a, b| a.made.cmp(&b.made));
        left.orphans.dedup_by(|a, b| a.made.id == b.made.id);
        left
    }

    /// What a host remembers that is neither declared by this run nor an orphan of it: other playbooks' things.
    pub fn foreign<'a>(&self, host: &HostName, remembered: &'a [Made]) -> Vec<&'a Made> {
        let orphans = self.leftovers(host, remembered).orphans;
        let declared = |made: &Made| self.declared.get(host).is_some_and(|ids| ids.contains(&made.id));
        let is_orphan = |made: &Made| orphans.iter().any(|orphan| orphan.made.id == made.id);
        remembered.iter().filter(|made| !declared(made) && !is_orphan(made)).collect()
    }

    /// Whether something declared on a host still stands in this or belongs to it.
    pub fn uses(&self, host: &HostName, brought: &[Provision]) -> bool {
        let Some(used) = self.used.get(host) else { return false };
        brought.iter().any(|provision| match provision {
            Provision::Path(path) => used.iter().any(|other| match other {
                Provision::Path(other) => other.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/')),
                _ => false,
            }),
            other => used.contains(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(id: &str, playbook: &str, site: &str) -> Made {
        Made { id: id.into(), playbook: playbook.into(), site: site.into(), run: "r1".into() }
    }

    fn scope(site: Option<&str>, playbooks: &[&str], declared: &[&str]) -> Scope {
        let host = HostName::new("a");
        Scope {
            site: site.map(str::to_owned),
            playbooks: playbooks.iter().map(|name| (*name).to_owned()).collect(),
            declared: BTreeMap::from([(host, declared.iter().map(|id| (*id).to_owned()).collect())]),
            ..Scope::default()
        }
    }

    fn orphans(scope: &Scope, remembered: &[Made]) -> Vec<String> {
        let left = scope.leftovers(&HostName::new("a"), remembered);
        left.orphans.into_iter().map(|orphan| orphan.made.id).collect()
    }

    #[test]
    fn what_its_playbook_or_site_does_not_declare_any_more_is_an_orphan_and_nothing_else() {
        let all = [
            made("file:/kept", "p", ""),
            made("file:/moved", "p", ""),
            made("file:/gone", "p", ""),
            made("file:/foreign", "q", ""),
        ];
        // /moved is declared by another playbook of the run.
        assert_eq!(orphans(&scope(None, &["p", "r"], &["file:/kept", "file:/moved"]), &all), ["file:/gone"]);
        assert!(orphans(&scope(None, &["r"], &[]), &all).is_empty());
        // The other host has none of it.
        assert!(scope(None, &["r"], &[]).leftovers(&HostName::new("b"), &all).is_empty());
        let scope = scope(None, &["p", "r"], &["file:/kept", "file:/moved"]);
        let foreign: Vec<&str> =
            scope.foreign(&HostName::new("a"), &all).into_iter().map(|made| made.id.as_str()).collect();
        assert_eq!(foreign, ["file:/foreign"]);
    }

    #[test]
    fn a_site_judges_what_was_made_under_it_and_a_part_of_it_does_not() {
        let all = [made("file:/a", "p", "s"), made("file:/b", "dropped", "s"), made("file:/c", "q", "other")];
        assert_eq!(orphans(&scope(Some("s"), &["p"], &[]), &all), ["file:/a", "file:/b"]);
        let alone = scope(None, &["p", "q"], &[]);
        assert!(orphans(&alone, &all).is_empty());
        let left = alone.leftovers(&HostName::new("a"), &all);
        assert_eq!(left.of_other_sites.len(), 2, "{left:?}");
        // What was made before there was a site is judged by its playbook.
        assert_eq!(orphans(&scope(Some("s"), &["p"], &[]), &[made("file:/d", "p", "")]), ["file:/d"]);
    }

    #[test]
    fn where_facts_are_missing_nothing_is_called_an_orphan() {
        let mut scope = scope(None, &["p"], &[]);
        scope.incomplete.insert(HostName::new("a"), "file:/x waits for facts".into());
        let left = scope.leftovers(&HostName::new("a"), &[made("file:/gone", "p", "")]);
        assert_eq!((left.orphans.len(), left.orphans_unknown.as_deref()), (0, Some("file:/x waits for facts")));
        assert!(scope.leftovers(&HostName::new("a"), &[made("file:/gone", "q", "")]).is_empty());
    }

    #[test]
    fn what_something_declared_stands_in_or_belongs_to_is_used() {
        let host = HostName::new("a");
        let path = |text: &str| Provision::Path(text.into());
        let mut scope = Scope::default();
        scope.used.insert(host.clone(), BTreeSet::from([path("/srv/x/f"), Provision::User("u".into())]));
        assert!(scope.uses(&host, &[path("/srv/x")]) && scope.uses(&host, &[Provision::User("u".into())]));
        assert!(!scope.uses(&host, &[path("/srv/xy"), path("/srv/x/f"), Provision::User("v".into())]));
        assert!(!scope.uses(&HostName::new("b"), &[path("/srv/x")]));
    }
}
