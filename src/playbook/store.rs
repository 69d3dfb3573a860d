//! Owns `secret("gw/token")` in templates: a secret of the store, by its name.
//!
//! What it gives is tainted as a secret variable is. Where no key is at hand the secret is locked: it can be printed, and
//! the resource that holds it waits.

use std::sync::Arc;

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::taint::{Ledger, Refusal, Tainted};
use crate::model::did_you_mean;
use crate::secret::{NoSecret, Rendered, Secret, Vault};

const USAGE: &str = "write its name between quotes: secret(\"gw/token\")";
const UNQUOTED: &str = "write the name between quotes, such as secret(\"gw/token\"), or define the variable";
const UNNAMABLE: &str = "`rempart secrets list` tells the names; a new one is FILE/NAME, such as `gw/token`";

/// The store as templates see it.
#[derive(Clone)]
pub(super) struct Store {
    vault: Arc<dyn Vault>,
    ledger: Arc<Ledger>,
}

impl Store {
    pub fn new(vault: &Arc<dyn Vault>, ledger: &Arc<Ledger>) -> Self {
        Self { vault: vault.clone(), ledger: ledger.clone() }
    }

    /// Gives the function to templates.
    pub fn register(&self, env: &mut Environment<'static>) {
        let store = self.clone();
        env.add_function("secret", move |names: Rest<Value>, more: Kwargs| store.called(&names, &more));
    }

    /// What a call will give, for those who look at a template before it is rendered; never nothing, since that would be
    /// no secret.
    pub fn seen(&self, name: Option<&str>) -> Value {
        let name = name.unwrap_or("of a name that is computed");
        Tainted::value(Rendered::secret(Secret::locked(name, "only looked at")), &self.ledger)
    }

    fn called(&self, names: &[Value], more: &Kwargs) -> Result<Value, Error> {
        let name = match names {
            [name] if more.assert_all_used().is_ok() => name.as_str(),
            _ => None,
        };
        let Some(name) = name else {
            let (why, fix) = match names.iter().any(Value::is_undefined) {
                true => ("without quotes it is the name of a variable, and that is not defined", UNQUOTED),
                false => ("it is the name of a secret in the store", USAGE),
            };
            return Err(self.refused("secret() takes one name", why.into(), fix.into()));
        };
        match self.vault.get(name) {
            Ok(secret) => Ok(Tainted::value(Rendered::secret(secret), &self.ledger)),
            Err(NoSecret::NoStore) => Err(self.refused(
                "there is no secret store",
                "this project has no folder `secrets`".into(),
                "make one with `rempart secrets init`, or use a variable and name it in `secret_vars`".into(),
            )),
            Err(NoSecret::Unknown { known, free }) => {
                let fix = match (did_you_mean(name, known.iter().map(String::as_str)), free) {
                    (Some(near), _) => format!("did you mean `{near}`?"),
                    (None, true) => format!("make it with `rempart secrets set {name}`"),
                    (None, false) => UNNAMABLE.into(),
                };
                Err(self.refused("an unknown secret", format!("the store has no `{name}`"), fix))
            }
            Err(NoSecret::Broken { why, fix }) => {
                Err(self.refused("a secret store that cannot be relied on", why, fix))
            }
        }
    }

    fn refused(&self, summary: &'static str, why: String, fix: String) -> Error {
        self.ledger.notes().now.refused = Some(Refusal { summary, why, fix });
        Error::new(ErrorKind::InvalidOperation, summary)
    }
}
