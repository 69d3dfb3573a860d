//! Kinds that show what the language hands to them.

use std::any::Any;
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::resource::{
    Answer, Change, Context, Desired, Entry, Fault, FieldValue, Fields, Kind, ProbeScript, Provision, Seen, Step,
};
use crate::secret::Rendered;
use crate::yaml::secret_text_schema;

/// The registry of these tests, with two real kinds.
pub fn all() -> &'static [Entry] {
    static ALL: OnceLock<Vec<Entry>> = OnceLock::new();
    ALL.get_or_init(|| {
        let real = ["directory", "file"].map(|name| *crate::kinds::find(name).unwrap());
        let mut all = vec![Entry::of::<Note>(), Entry::of::<Part>(), Entry::of::<Whole>()];
        all.extend(real);
        all.sort_by_key(|entry| entry.name);
        all
    })
}

macro_rules! inert {
    () => {
        fn probe(_: &[&Self], _: &mut ProbeScript) {}

        fn parse(_: &[&Self], _: &Answer) -> Vec<Seen> {
            Vec::new()
        }

        fn steps(_: &[Change<'_, Self>]) -> Vec<Step> {
            Vec::new()
        }
    };
}

/// Takes every type of value, a template, and things to watch.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Note {
    pub to: String,
    #[schemars(schema_with = "secret_text_schema")]
    pub content: Option<Rendered>,
    /// Not among the fields that are compared.
    #[schemars(schema_with = "secret_text_schema")]
    pub aside: Option<Rendered>,
    pub from: Option<String>,
    pub format: Option<crate::quote::Format>,
    pub count: Option<i64>,
    pub active: Option<bool>,
    pub names: Vec<String>,
    pub pairs: std::collections::BTreeMap<String, String>,
    pub restart_on: Vec<String>,
    #[serde(skip)]
    pub watched: Vec<Vec<Provision>>,
    #[serde(skip)]
    pub host: String,
}

impl Note {
    pub fn text(&self) -> String {
        self.content.as_ref().unwrap().masked()
    }
}

impl Kind for Note {
    const NAME: &'static str = "note";
    const SUMMARY: &'static str = "For tests.";
    const EXAMPLE: &'static str = "note: { to: /x }";

    fn key(&self) -> String {
        self.to.clone()
    }

    fn settle(&mut self, context: &Context<'_>) -> Result<(), Fault> {
        self.host = format!("{} at {}:{}", context.host, context.address, context.ssh_port);
        if self.to.is_empty() { Err(Fault::new("to", "must be given")) } else { Ok(()) }
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.to.clone())]
    }

    fn watches(&self) -> Vec<String> {
        self.restart_on.clone()
    }

    fn watched(&mut self, provisions: Vec<Vec<Provision>>) {
        self.watched = provisions;
    }

    fn desired(&self) -> Desired {
        let mut fields = Fields::new();
        if let Some(content) = &self.content {
            fields.insert("content".into(), FieldValue::Wanted(content.clone()));
        }
        if let Some(count) = self.count {
            fields.insert("count".into(), FieldValue::Int(count));
        }
        Desired::Present(fields)
    }

    inert!();
}

/// Takes the names of its parts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    #[serde(default)]
    #[allow(dead_code, reason = "there to be locked")]
    #[schemars(schema_with = "secret_text_schema")]
    pub content: Option<Rendered>,
    #[serde(skip)]
    pub parts: Vec<String>,
}

impl Kind for Whole {
    const NAME: &'static str = "whole";
    const SUMMARY: &'static str = "For tests.";
    const EXAMPLE: &'static str = "whole: {}";

    fn key(&self) -> String {
        "it".into()
    }

    fn absorb(&mut self, parts: &[&dyn Any]) {
        self.parts =
            parts.iter().filter_map(|part| part.downcast_ref::<Part>()).map(|part| part.name.clone()).collect();
    }

    fn desired(&self) -> Desired {
        Desired::Present(Fields::new())
    }

    inert!();
}

/// A part of the whole.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub name: String,
    #[serde(default)]
    #[allow(dead_code, reason = "there to read facts")]
    pub size: Option<i64>,
}

impl Kind for Part {
    const NAME: &'static str = "part";
    const SUMMARY: &'static str = "For tests.";
    const EXAMPLE: &'static str = "part: { name: a }";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn part_of(&self) -> Option<&'static str> {
        Some("whole")
    }

    fn desired(&self) -> Desired {
        Desired::Present(Fields::new())
    }

    inert!();
}
