//! Owns the fields of one resource: strings rendered, files read into `content`, and which values read facts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::convert::{of_text, to_node};
use super::item::marked;
use super::render::Stop;
use super::root::Root;
use crate::model::{Diagnostic, did_you_mean};
use crate::quote::Format;
use crate::resource;
use crate::yaml::{self, Entry, Node, Value};

/// What the loader must know of a kind's fields; read from its schema.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    /// `from` names a template that becomes `content`.
    from: bool,
    /// `source` names a file that becomes `content`, unrendered.
    source: bool,
    /// `source` names a file of any bytes, which become `source_base64`; its kind says so in its schema (`x-read`).
    bytes: bool,
    /// `format` says what lines the content is made of.
    format: bool,
}

impl Shape {
    pub fn of(kind: &resource::Entry) -> Self {
        let schema = (kind.schema)(&mut schemars::SchemaGenerator::default()).to_value();
        let has = |name: &str| schema.get("properties").and_then(|all| all.get(name)).is_some();
        let content = has("content");
        Self {
            from: content && has("from"),
            source: content && has("source"),
            bytes: schema.pointer("/properties/source/x-read").is_some(),
            format: content && has("format"),
        }
    }
}

/// Where in the fields a value stands.
pub(super) type Trail = Vec<String>;

/// Rendered fields.
#[derive(Debug)]
pub(super) struct Filled {
    /// The fields; those that wait for facts are left out.
    pub node: Node,
    /// Some were left out.
    pub pending: bool,
    /// The values that facts were read for.
    pub facts: Vec<Trail>,
}

struct Filler<'a> {
    root: &'a Root,
    faults: Vec<Diagnostic>,
    facts: Vec<Trail>,
    pending: bool,
}

/// Renders the fields of a resource.
///
/// # Errors
/// Every value that cannot be rendered, and every file that cannot be read; with the fields that could be.
pub(super) fn fill(
    root: &Root,
    kind: &resource::Entry,
    shape: Shape,
    fields: &Node,
    folder: &Path,
) -> Result<Filled, (Vec<Diagnostic>, Option<Node>)> {
    let mut filler = Filler { root, faults: Vec::new(), facts: Vec::new(), pending: false };
    root.renderer().look_in(folders(folder, "templates"));
    let node = match &fields.value {
        Value::Map(entries) => filler.map(kind, shape, fields, entries, folder),
        Value::Null => Some(Node::new(fields.place.clone(), Value::Map(Vec::new()))),
        _ => filler.node(fields, &mut Vec::new()),
    };
    match node {
        Some(node) if filler.faults.is_empty() => Ok(Filled { node, pending: filler.pending, facts: filler.facts }),
        None if filler.faults.is_empty() => {
            let node = Node::new(fields.place.clone(), Value::Map(Vec::new()));
            Ok(Filled { node, pending: true, facts: filler.facts })
        }
        node => Err((filler.faults, node)),
    }
}

fn folders(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned(), folder.join(name)];
    all.extend(folder.parent().map(|parent| parent.join(name)));
    all
}

impl Filler<'_> {
    fn map(
        &mut self,
        kind: &resource::Entry,
        shape: Shape,
        fields: &Node,
        entries: &[Entry],
        folder: &Path,
    ) -> Option<Node> {
        let given = |name: &str, known: bool| entries.iter().find(|entry| known && entry.key == name);
        let content = given("content", true);
        let from = given("from", shape.from);
        let source = given("source", shape.source);
        let texts: Vec<&Entry> = [content, from, source].into_iter().flatten().collect();
        if let [first, second, ..] = texts.as_slice()
            && (from.is_some() || source.is_some())
        {
            self.faults.push(
                Diagnostic::error("the content is given twice")
                    .at(&second.place, format!("by `{}`", second.key))
                    .see(&first.place, format!("and by `{}`", first.key))
                    .fix("keep one of them"),
            );
        }
        let mut done = Vec::new();
        for entry in entries.iter().filter(|entry| entry.key != "content") {
            let mut trail = vec![entry.key.clone()];
            self.key(entry);
            if let Some(node) = self.node(&entry.node, &mut trail) {
                done.push(Entry { key: entry.key.clone(), place: entry.place.clone(), node });
            }
        }
        let fields = Node::new(fields.place.clone(), Value::Map(done));
        let text = match (content, from, source) {
            (Some(content), ..) => match content.node.text() {
                Some(text) if marked(text) => {
                    let format = self.format(kind, shape, &fields);
                    let (root, place) = (self.root, &content.node.place);
                    let before = self.faults.len();
                    let done =
                        self.noting(&mut vec!["content".into()], || root.renderer().text(root, text, place, format));
                    self.more(before, |first| root.renderer().more_of_text(root, text, place, format, first));
                    done.map(|text| Node::new(place.clone(), of_text(text)))
                }
                Some(_) => Some(content.node.clone()),
                None => self.node(&content.node, &mut vec!["content".into()]),
            }
            .map(|node| (content.place.clone(), node)),
            (None, Some(from), _) => self.template(kind, shape, &fields, folder).map(|node| (from.place.clone(), node)),
            (None, None, Some(source)) => self.verbatim(&fields, folder).map(|node| (source.place.clone(), node)),
            (None, None, None) => None,
        };
        let Value::Map(mut done) = fields.value else { return None };
        if let Some((place, node)) = text {
            done.push(Entry { key: "content".into(), place, node });
        }
        if let Some(source) = given("source", shape.bytes) {
            let fields = Node::new(fields.place.clone(), Value::Map(done.clone()));
            done.retain(|entry| entry.key != "source_base64");
            if let Some(node) = self.bytes(&fields, folder) {
                done.push(Entry { key: "source_base64".into(), place: source.place.clone(), node });
            }
        }
        Some(Node::new(fields.place, Value::Map(done)))
    }

    // Runs one rendering, and notes at `trail` whether it read facts.
    fn noting<T>(&mut self, trail: &mut Trail, work: impl FnOnce() -> Result<T, Stop>) -> Option<T> {
        let ledger = self.root.renderer().ledger.clone();
        ledger.notes().facts_read = false;
        let done = work();
        if std::mem::take(&mut ledger.notes().facts_read) {
            self.facts.push(trail.clone());
        }
        match done {
            Ok(value) => Some(value),
            Err(Stop::Pending) => {
                self.pending = true;
                None
            }
            Err(Stop::Fault(told)) => {
                self.faults.push(*told);
                None
            }
        }
    }

    // A rendering ends at its first fault. Where there is one since, what else is wrong is looked for.
    fn more(&mut self, before: usize, look: impl FnOnce(&Diagnostic) -> Vec<Diagnostic>) {
        if let Some(first) = self.faults.get(before) {
            let more = look(first);
            self.faults.extend(more);
        }
    }

    fn key(&mut self, entry: &Entry) {
        if marked(&entry.key) {
            let told = Diagnostic::error("a template in a key").at(&entry.place, "keys are fixed");
            self.faults.push(told.fix("only values are rendered"));
        } else if entry.key.chars().any(char::is_control) {
            self.faults.push(Diagnostic::error("a control character in a key").at(&entry.place, "here"));
        }
    }

    fn node(&mut self, node: &Node, trail: &mut Trail) -> Option<Node> {
        let value = match &node.value {
            Value::Text(text) if marked(text) => {
                let (root, place) = (self.root, &node.place);
                let renderer = root.renderer();
                let (lone, before) = (renderer.lone(text), self.faults.len());
                let done = self.noting(trail, || match lone {
                    Some(inner) => {
                        let value = renderer.expression(root, inner, place)?;
                        let fault = |what| Diagnostic::error("a value that cannot stand here").at(place, what).into();
                        to_node(&value, place, &renderer.ledger).map_err(fault).map(|node| node.value)
                    }
                    None => renderer.text(root, text, place, Format::Text).map(of_text),
                });
                if lone.is_none() {
                    self.more(before, |first| renderer.more_of_text(root, text, place, Format::Text, first));
                }
                Node::new(place.clone(), done?)
            }
            Value::List(items) => {
                let mut done = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    trail.push(at.to_string());
                    done.extend(self.node(item, trail));
                    trail.pop();
                }
                Node::new(node.place.clone(), Value::List(done))
            }
            Value::Map(entries) => {
                let mut done = Vec::new();
                for entry in entries {
                    self.key(entry);
                    trail.push(entry.key.clone());
                    if let Some(node) = self.node(&entry.node, trail) {
                        done.push(Entry { key: entry.key.clone(), place: entry.place.clone(), node });
                    }
                    trail.pop();
                }
                Node::new(node.place.clone(), Value::Map(done))
            }
            _ => node.clone(),
        };
        self.clean(&value);
        Some(value)
    }

    // Fields end up in names, paths and command lines, where a control character is never meant.
    fn clean(&mut self, node: &Node) {
        let check = |text: &str| match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            Some(c) => Err(format!("it holds the control character U+{:04X}", c as u32)),
            None => Ok(()),
        };
        let done = match &node.value {
            Value::Text(text) => check(text),
            Value::Tainted(text) => text.check(check),
            Value::List(items) => return items.iter().for_each(|item| self.clean(item)),
            Value::Map(entries) => return entries.iter().for_each(|entry| self.clean(&entry.node)),
            _ => Ok(()),
        };
        if let Err(why) = done {
            let told = Diagnostic::error("a control character in a value").at(&node.place, why);
            if !self.faults.contains(&told) {
                self.faults.push(told.fix("remove it; only `content` may hold such characters"));
            }
        }
    }

    fn format(&mut self, kind: &resource::Entry, shape: Shape, fields: &Node) -> Format {
        if let Some(node) = fields.get("format").filter(|_| shape.format) {
            return yaml::decode(node).unwrap_or_else(|told| {
                self.faults.push(told);
                Format::Text
            });
        }
        let by_kind = [
            // What a credential holds is anything, such as a key of several lines.
            ("systemd_credential", Format::Text),
            ("systemd_", Format::Systemd),
            ("firewall_nftables", Format::Nftables),
            ("squid", Format::Squid),
            ("sshd", Format::Sshd),
            ("sysctl", Format::Ini),
        ];
        if let Some((_, format)) = by_kind.iter().find(|(start, _)| kind.name.starts_with(start)) {
            return *format;
        }
        let path = ["to", "path"].iter().find_map(|name| fields.get(name)?.text());
        path.map_or(Format::Text, Format::of_path)
    }

    fn template(&mut self, kind: &resource::Entry, shape: Shape, fields: &Node, folder: &Path) -> Option<Node> {
        let from = fields.get("from")?;
        let path = self.find(from, folder, "templates", "a template is missing")?;
        let format = self.format(kind, shape, fields);
        let root = self.root;
        let before = self.faults.len();
        let text = self.noting(&mut vec!["content".into()], || root.renderer().file(root, &path, &from.place, format));
        self.more(before, |first| root.renderer().more_of_file(root, &path, &from.place, format, first));
        let text = text?;
        Some(Node::new(from.place.clone(), of_text(text)))
    }

    fn verbatim(&mut self, fields: &Node, folder: &Path) -> Option<Node> {
        let source = fields.get("source")?;
        let path = self.find(source, folder, "files", "a file is missing")?;
        match yaml::read(&path) {
            Ok(file) => Some(Node::new(source.place.clone(), Value::Text(file.text.clone()))),
            Err(told) => {
                self.faults.push(told.see(&source.place, "named here"));
                None
            }
        }
    }

    fn bytes(&mut self, fields: &Node, folder: &Path) -> Option<Node> {
        let source = fields.get("source")?;
        let path = self.find(source, folder, "files", "a file is missing")?;
        match yaml::read_bytes(&path) {
            Ok(bytes) => Some(Node::new(source.place.clone(), Value::Text(BASE64_STANDARD.encode(bytes)))),
            Err(told) => {
                self.faults.push(told.see(&source.place, "named here"));
                None
            }
        }
    }

    fn find(&mut self, name: &Node, folder: &Path, beside: &str, summary: &str) -> Option<PathBuf> {
        let Some(text) = name.text().filter(|text| !text.is_empty()) else {
            let told = Diagnostic::error("a value of the wrong type");
            self.faults.push(told.at(&name.place, format!("expected a file name, found {}", name.shape())));
            return None;
        };
        let folders = folders(folder, beside);
        if let Some(path) = folders.iter().map(|folder| folder.join(text)).find(|path| path.exists()) {
            return Some(path);
        }
        let shown = |folder: &PathBuf| match folder.as_os_str().is_empty() {
            true => ".".to_owned(),
            false => folder.display().to_string(),
        };
        let mut told = Diagnostic::error(summary)
            .at(&name.place, format!("`{text}` was not found"))
            .because(format!("looked in {}", folders.iter().map(shown).collect::<Vec<_>>().join(", ")));
        let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        let names: Vec<String> = files.filter_map(|file| file.file_name().into_string().ok()).collect();
        told.fix = did_you_mean(text, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        self.faults.push(told);
        None
    }
}

/// The fields with other values at these places, or without them; for finding out what an identity depends on.
pub(super) fn altered(node: &Node, paths: &[Trail], drop_them: bool) -> Node {
    let mut node = node.clone();
    for path in paths {
        alter(&mut node, path, drop_them);
    }
    node
}

fn alter(node: &mut Node, path: &[String], drop_it: bool) {
    let Some((first, rest)) = path.split_first() else {
        return match &mut node.value {
            Value::Text(text) => text.push('1'),
            Value::Int(number) => *number = number.wrapping_add(1),
            Value::Bool(flag) => *flag = !*flag,
            _ => {}
        };
    };
    match &mut node.value {
        Value::Map(entries) => {
            if rest.is_empty() && drop_it {
                entries.retain(|entry| entry.key != *first);
            } else if let Some(entry) = entries.iter_mut().find(|entry| entry.key == *first) {
                alter(&mut entry.node, rest, drop_it);
            }
        }
        Value::List(items) => {
            if let Some(item) = first.parse().ok().and_then(|at: usize| items.get_mut(at)) {
                alter(item, rest, drop_it);
            }
        }
        _ => {}
    }
}

/// The secrets in a tree whose content is not at hand, each with the reason.
pub(super) fn locked(node: &Node) -> BTreeMap<String, String> {
    match &node.value {
        Value::Tainted(text) => {
            text.locked().map(|(name, why)| (name.to_owned(), why.to_owned())).into_iter().collect()
        }
        Value::List(items) => items.iter().flat_map(locked).collect(),
        Value::Map(entries) => entries.iter().flat_map(|entry| locked(&entry.node)).collect(),
        _ => BTreeMap::new(),
    }
}

/// The text at a place.
pub(super) fn at<'a>(node: &'a Node, path: &[String]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, step| match &node.value {
        Value::List(items) => items.get(step.parse::<usize>().ok()?),
        _ => node.get(step),
    })
}
