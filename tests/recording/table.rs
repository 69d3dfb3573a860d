//! What the recordings of each kind show, as rows of one table; and what is missing or wrong in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rempart::resource::{Desired, Entry, FieldValue, Resource, Seen};

use super::{Kind, folder};

/// What a recording shows of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    AsDeclared,
    Absent,
    Unwanted,
    Differs(Vec<String>),
    Unknown,
}

/// How a resource stands by what was seen of it.
pub fn verdict(resource: &dyn Resource, seen: &Seen) -> Verdict {
    match (resource.desired(), seen) {
        (_, Seen::Unknown(_) | Seen::NotYet { .. }) => Verdict::Unknown,
        (Desired::Absent, Seen::Absent) => Verdict::AsDeclared,
        (Desired::Absent, Seen::Present(_)) => Verdict::Unwanted,
        (Desired::Present(_), Seen::Absent) => Verdict::Absent,
        (Desired::Present(wanted), Seen::Present(seen)) => {
            let agrees =
                |(name, value): &(&String, &FieldValue)| seen.get(*name).is_some_and(|seen| value.agrees_with(seen));
            let differing = wanted.iter().filter(|field| !agrees(field)).map(|(name, _)| name.clone());
            let differing: Vec<String> = differing.collect();
            if differing.is_empty() { Verdict::AsDeclared } else { Verdict::Differs(differing) }
        }
    }
}

/// Both streams of a host at one moment, and the script that had brought it there.
pub struct Recording {
    /// `bare`, `applied`, or the stem of a script.
    pub name: String,
    /// The script; empty for the first two.
    pub script: String,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
}

impl Recording {
    /// All of a kind, by name.
    pub fn all(kind: &str) -> Vec<Recording> {
        let files = fs::read_dir(folder(kind).join("recorded")).into_iter().flatten();
        let paths =
            files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "out"));
        let mut found: Vec<Recording> = paths
            .map(|path| {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                let script = fs::read_to_string(folder(kind).join(format!("{name}.sh"))).unwrap_or_default();
                let err = fs::read(path.with_extension("err")).unwrap_or_default();
                Recording { name, script, out: fs::read(&path).unwrap(), err }
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// What stands behind `# word: ` in the script.
    pub fn header(&self, word: &str) -> Option<&str> {
        let mark = format!("# {word}: ");
        self.script.lines().find_map(|line| line.strip_prefix(&mark)).map(str::trim)
    }
}

/// How each resource of the kind stands in an answer, by id.
pub fn verdicts(kind: &Kind, out: &[u8], err: &[u8]) -> BTreeMap<String, Verdict> {
    let seen = kind.seen(out.to_vec(), err.to_vec());
    let resources = kind.resources();
    resources.iter().zip(&seen).map(|(resource, seen)| (resource.id().to_string(), verdict(*resource, seen))).collect()
}

/// A kind's row.
#[derive(Debug)]
pub struct Row {
    pub kind: &'static str,
    /// Recordings in which all is as declared.
    pub present: Vec<String>,
    /// Recordings in which something is missing that should be there, or there that should not be.
    pub absent: Vec<String>,
    /// Whether it can be absent at all.
    pub can_be_absent: bool,
    /// Fields that a script changes, seen as changed.
    pub changed: BTreeSet<String>,
    /// Scripts of the kind's own resources in which the change was not seen as it should be.
    pub unseen: Vec<String>,
    pub failing: bool,
    pub garbled: bool,
    /// Why there is no `failing` or `garbled`.
    pub exempt: BTreeMap<String, String>,
    pub scripts: usize,
}

impl Row {
    pub fn of(entry: &'static Entry) -> Row {
        let kind = Kind::load(entry.name);
        let is_absent = |resource: &&dyn Resource| matches!(resource.desired(), Desired::Absent);
        let exempt = fs::read_to_string(folder(entry.name).join("exempt.txt")).unwrap_or_default();
        let exempt = exempt.lines().filter_map(|line| line.split_once(": "));
        let mut row = Row {
            kind: entry.name,
            present: Vec::new(),
            absent: Vec::new(),
            can_be_absent: kind.resources().iter().any(is_absent),
            changed: BTreeSet::new(),
            unseen: Vec::new(),
            failing: false,
            garbled: false,
            exempt: exempt.map(|(name, why)| (name.to_owned(), why.to_owned())).collect(),
            scripts: 0,
        };
        for recording in Recording::all(entry.name) {
            row.take(&recording, &verdicts(&kind, &recording.out, &recording.err));
        }
        row
    }

    fn take(&mut self, recording: &Recording, found: &BTreeMap<String, Verdict>) {
        let name = recording.name.clone();
        if found.values().all(|verdict| *verdict == Verdict::AsDeclared) && recording.script.is_empty() {
            self.present.push(name.clone());
        }
        if found.values().any(|verdict| matches!(verdict, Verdict::Absent | Verdict::Unwanted)) {
            self.absent.push(name.clone());
        }
        self.scripts += usize::from(!recording.script.is_empty());
        // A script may hit what another kind answers for.
        let Some(id) = recording.header("expect").filter(|id| id.starts_with(&format!("{}:", self.kind))) else {
            return;
        };
        let verdict = found.get(id);
        let field = recording.header("field");
        let (stem, good) = (
            name.as_str(),
            match (name.as_str(), verdict) {
                ("failing" | "garbled", verdict) => verdict == Some(&Verdict::Unknown),
                (_, Some(Verdict::Absent | Verdict::Unwanted)) => true,
                (_, Some(Verdict::Differs(fields))) => {
                    let is = |known: &String, field: &str| *known == field || known.starts_with(&format!("{field}."));
                    field.is_none_or(|field| fields.iter().any(|known| is(known, field)))
                }
                _ => false,
            },
        );
        match stem {
            _ if !good => self.unseen.push(format!("{stem}: {verdict:?}")),
            "failing" => self.failing = true,
            "garbled" => self.garbled = true,
            _ => {
                self.changed.insert(stem.split('-').next().unwrap_or(stem).to_owned());
            }
        }
    }

    /// The cells; an empty one is something that nobody has seen.
    pub fn cells(&self) -> [String; 7] {
        let some = |list: &[String]| list.first().cloned().unwrap_or_default();
        let told = |seen: bool, name: &str| match (seen, self.exempt.get(name)) {
            (true, _) => "unknown".to_owned(),
            (false, Some(why)) => format!("none: {why}"),
            (false, None) => String::new(),
        };
        [
            format!("`{}`", self.kind),
            some(&self.present),
            if self.can_be_absent { some(&self.absent) } else { "cannot be".to_owned() },
            self.changed.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(" "),
            told(self.failing, "failing"),
            told(self.garbled, "garbled"),
            if self.scripts == 0 { String::new() } else { self.scripts.to_string() },
        ]
    }
}

/// The table of docs/kinds.md.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "\n# What is seen on real hosts\n\n\
         Each kind is applied to a real Debian machine, everything is as declared then, and a second plan is empty. Then every\n\
         field is changed there by other means (`tests/tamper/KIND/FIELD.sh`): drift names it, and apply mends it. Where the tool\n\
         that the kind asks fails, or prints junk, nothing is known, and that is what is told. What the machine answered each time\n\
         is kept beside the scripts (`recorded/`, made by `make recordings`), and every test run reads it again, also cut and\n\
         garbled in each of its sections.\n\n\
         | kind | as declared | missing, or unwanted | changed, seen, mended | tool fails | tool prints junk | scripts |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        text.push_str(&format!("| {} |\n", row.cells().join(" | ")));
    }
    text
}
