//! Owns the values of inventory variables outside of any playbook: connection variables may be templates, too.
//!
//! Must not know which variables those are. Nothing is connected to yet, so neither facts nor addresses are known here.

use std::sync::Arc;

use super::Fleet;
use super::convert::to_node;
use super::fields::locked;
use super::item::marked;
use super::render::{Renderer, Stop};
use super::root::Root;
use super::scope::{Stage, World};
use crate::model::{Diagnostic, HostName};
use crate::yaml::{Node, Value};

/// Said of a variable that holds a locked secret: nothing is wrong with it, and on another machine it leads in.
pub const NO_KEY: &str = "a secret whose key is not at hand";

/// The variables of a fleet whose hosts nobody has found the way to yet.
pub struct Outside {
    stage: Arc<Stage>,
}

impl Outside {
    /// Gathers the variables of all hosts.
    pub fn new(fleet: &dyn Fleet) -> Self {
        let vault = fleet.vault();
        let renderer = Renderer::new(&vault);
        let world = World::new(fleet, &|_| None, &renderer, vault.is_there());
        Self { stage: Stage::outside(&world, &renderer) }
    }

    /// The value of a host's variable, rendered.
    ///
    /// # Errors
    /// The template is wrong, or names what is not known before a host is connected to.
    pub fn value(&self, host: &HostName, name: &str, node: &Node) -> Result<Node, Diagnostic> {
        let value = match Root::new(&self.stage.host(host)).evaluate(node, name) {
            Ok(value) => value,
            Err(Stop::Fault(told)) => return Err(*told),
            Err(Stop::Pending) => {
                let told = Diagnostic::error("a variable that cannot be known yet").at(&node.place, "it reads facts");
                return Err(told.fix("facts come over the connection that this variable is to make"));
            }
        };
        let value = to_node(&value, &node.place, &self.stage.renderer.ledger)
            .map_err(|what| Diagnostic::error("a variable without a value").at(&node.place, what))?;
        // What stands for a secret that nobody can read must not be sent to a host as a password.
        match locked(&value).pop_first() {
            None => Ok(value),
            Some((name, why)) => Err(Diagnostic::error(NO_KEY)
                .at(&node.place, format!("the secret {name}"))
                .because(why)
                .fix("bring the key, or leave the hosts out whose connection needs it")),
        }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.stage.close();
    }
}

/// Whether a template stands anywhere in a value.
pub fn holds_template(node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => marked(text),
        Value::List(items) => items.iter().any(holds_template),
        Value::Map(entries) => entries.iter().any(|entry| holds_template(&entry.node)),
        _ => false,
    }
}
