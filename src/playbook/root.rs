//! Owns the names that a template of an item sees: the host's variables, what is bound around the item, `hostvars`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use minijinja::Value as Jinja;
use minijinja::value::{Enumerator, Object};

use super::convert::to_jinja;
use super::item::marked;
use super::render::{Renderer, Stop};
use super::scope::{BUILTINS, Scope, Stage, invalid};
use super::taint::Tainted;
use crate::model::HostName;
use crate::quote::Format;
use crate::yaml::{Entry, Node, Value};

/// A name bound in an item.
#[derive(Clone, Debug)]
pub(super) enum Local {
    /// To a value, with whether facts were read for it.
    Known(Jinja, bool),
    /// To something that reads facts which are not known yet, of these hosts.
    Pending(BTreeSet<HostName>),
}

/// What a template of an item sees: the host's variables, and the names bound around it.
#[derive(Clone, Debug)]
pub(super) struct Root {
    scope: Arc<Scope>,
    locals: Arc<Vec<(String, Local)>>,
}

impl Root {
    pub fn new(scope: &Arc<Scope>) -> Self {
        Self { scope: scope.clone(), locals: Arc::default() }
    }

    /// With one more name that has a value; whether facts were read for it.
    pub fn bind(&self, entry: &Entry, value: Jinja, facts: bool) -> Result<Self, Stop> {
        let value = self.scope.hide(&entry.key, value, &entry.node.place)?;
        Ok(self.with(&entry.key, Local::Known(value, facts)))
    }

    /// With one more name.
    pub fn with(&self, name: &str, local: Local) -> Self {
        let mut locals = self.locals.as_ref().clone();
        locals.push((name.to_owned(), local));
        Self { scope: self.scope.clone(), locals: Arc::new(locals) }
    }

    pub fn renderer(&self) -> &Arc<Renderer> {
        &self.scope.stage.renderer
    }

    /// The context for the engine.
    pub fn value(&self) -> Jinja {
        Jinja::from_object(self.clone())
    }

    /// Whether any value on the fleet is secret.
    pub fn may_hold_secrets(&self) -> bool {
        self.scope.stage.world.secrets
    }

    /// All names that are known here.
    pub fn names(&self) -> Vec<String> {
        let locals = self.locals.iter().map(|(name, _)| name.clone());
        let builtins = BUILTINS.iter().map(|(name, _)| *name).filter(|name| self.scope.has_builtin(name));
        locals.chain(self.scope.names()).chain(builtins.map(str::to_owned)).collect()
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<Jinja> {
        if let Some((_, local)) = self.locals.iter().rev().find(|(known, _)| known == name) {
            let mut notes = self.renderer().ledger.notes();
            return Some(match local {
                Local::Known(value, facts) => {
                    notes.facts_read |= facts;
                    value.clone()
                }
                Local::Pending(hosts) => {
                    notes.wait_for(hosts);
                    invalid()
                }
            });
        }
        self.scope.builtin(name).or_else(|| self.scope.variable(name))
    }

    /// A tree as a value: its strings rendered, a lone `{{ x }}` with the type of `x`.
    pub fn evaluate(&self, node: &Node, name: &str) -> Result<Jinja, Stop> {
        let renderer = self.renderer();
        Ok(match &node.value {
            Value::Text(text) if marked(text) => match renderer.lone(text) {
                Some(inner) => renderer.expression(self, inner, &node.place)?,
                None => {
                    let text = renderer.text(self, text, &node.place, Format::Text)?;
                    match text.as_plain() {
                        Some(text) => Jinja::from(text),
                        None => Tainted::value(text, &renderer.ledger),
                    }
                }
            },
            Value::Tainted(text) => Tainted::value(text.renamed(name), &renderer.ledger),
            Value::List(items) => {
                Jinja::from(items.iter().map(|item| self.evaluate(item, name)).collect::<Result<Vec<_>, _>>()?)
            }
            Value::Map(entries) => {
                let inner = |entry: &Entry| {
                    let value = self.evaluate(&entry.node, &format!("{name}.{}", entry.key))?;
                    Ok((entry.key.clone(), value))
                };
                Jinja::from_pairs(entries.iter().map(inner).collect::<Result<Vec<_>, Stop>>()?)
            }
            _ => to_jinja(node, &renderer.ledger),
        })
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.get(key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.names().into_iter().map(Jinja::from).collect())
    }
}

/// `hostvars`.
pub(super) struct HostVars(pub Arc<Stage>);

impl fmt::Debug for HostVars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hostvars")
    }
}

impl Object for HostVars {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let host = self.0.world.host(key.as_str()?)?;
        Some(Jinja::from_object(OneHost(self.0.host(host))))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.world.order().iter().map(|host| Jinja::from(host.as_str())).collect())
    }
}

/// The variables of a host in `hostvars`.
#[derive(Debug)]
struct OneHost(Arc<Scope>);

impl Object for OneHost {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        match key.as_str()? {
            name @ ("host" | "address" | "facts") => self.0.builtin(name),
            name => self.0.variable(name),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        // Not `facts`: going over all names must not ask the host.
        let mut names = self.0.names();
        names.extend(["host".into(), "address".into()]);
        Enumerator::Values(names.into_iter().map(Jinja::from).collect())
    }
}
