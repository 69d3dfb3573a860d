//! Owns a field that takes one text or several.

use schemars::JsonSchema;
use serde::Deserialize;

/// One text, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text, or a list of texts")]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Texts {
    /// All of them, in order, without the spaces around them.
    pub fn list(&self) -> Vec<String> {
        match self {
            Texts::One(text) => vec![text.trim().to_owned()],
            Texts::Many(texts) => texts.iter().map(|text| text.trim().to_owned()).collect(),
        }
    }
}
