//! What a real host said to the probe of one kind, kept beside the scripts of `tests/tamper/KIND`, and read again.
//!
//! `recorded/NAME.out` and `.err` are both streams of the host, byte for byte; `recorded/question` tells which script was
//! asked, since an answer to another one proves nothing.

pub mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rempart::kinds::KINDS;
use rempart::model::{Diagnostic, HostName, Place};
use rempart::playbook::{self, Declared, Fleet};
use rempart::resource::{Answer, Entry, Look, ProbeScript, Question, Resource, Seen, look_script, read_looks};
use rempart::transport::Output;
use rempart::yaml::Node;
use sha2::{Digest, Sha256};

/// The nonce of recordings, which need not be secret.
const NONCE: &str = "nonce";
const LOOKS: &str = "looks";

/// The machine that `tests/real` boots: `web1`, at the lab's first address.
struct OneHost;

impl Fleet for OneHost {
    fn hosts(&self) -> Vec<HostName> {
        vec![HostName::new("web1")]
    }
    fn select(&self, _pattern: &str, _place: &Place) -> Result<Vec<HostName>, Diagnostic> {
        Ok(self.hosts())
    }
    fn vars(&self, _host: &HostName) -> Vec<(String, Node)> {
        Vec::new()
    }
    fn groups(&self, _host: &HostName) -> Vec<String> {
        Vec::new()
    }
    fn group_hosts(&self, _group: &str) -> Vec<HostName> {
        self.hosts()
    }
    fn address(&self, _host: &HostName) -> String {
        "192.0.2.11".to_owned()
    }
    fn login_user(&self, _host: &HostName) -> Option<String> {
        Some("admin".to_owned())
    }
    fn ssh_port(&self, _host: &HostName) -> u16 {
        22
    }
    fn conflict(&self, _host: &HostName, _var: &str) -> Option<Diagnostic> {
        None
    }
}

/// The folder of a kind's scripts.
pub fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tamper").join(kind)
}

/// The resources of one kind in its tamper playbook, and what they ask.
pub struct Kind {
    entry: &'static Entry,
    declared: Vec<Declared>,
    question: Question,
    looks: Vec<(String, Look)>,
}

impl Kind {
    /// Reads the playbook of a kind.
    pub fn load(name: &str) -> Kind {
        let entry = KINDS.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no kind {name}"));
        let site = playbook::load(&[folder(name).join("playbook.yaml")]).unwrap_or_else(|told| panic!("{told:?}"));
        let expansion = site.expand(&OneHost, &|_| None).unwrap_or_else(|told| panic!("{name}: {told:?}"));
        let is_its = |declared: &Declared| declared.resource().is_some_and(|resource| resource.kind() == name);
        let declared: Vec<Declared> = expansion.declared.into_iter().filter(is_its).collect();
        assert!(!declared.is_empty(), "tests/tamper/{name}/playbook.yaml has no {name}");
        let mut kind =
            Kind { entry, declared, question: ProbeScript::default().finish(NONCE, LIMIT), looks: Vec::new() };
        let mut script = ProbeScript::default();
        (entry.probe)(&kind.resources(), &mut script);
        kind.looks = script.looks().map(|(key, look)| (key.clone(), look.clone())).collect();
        if !kind.looks.is_empty() {
            script.section(LOOKS, look_script(&kind.asked_looks()));
        }
        kind.question = script.finish(NONCE, LIMIT);
        kind
    }

    /// The kind's name.
    pub fn name(&self) -> &'static str {
        self.entry.name
    }

    /// What the kind asks a host.
    pub fn script(&self) -> &str {
        &self.question.script.text
    }

    /// Tells one question from another.
    pub fn fingerprint(&self) -> String {
        Sha256::digest(self.script().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n"
    }

    /// The sections of the question, as frames of the output, with their names.
    pub fn frames(&self) -> Vec<(String, String)> {
        self.question.frames().map(|(frame, name)| (frame, name.to_owned())).collect()
    }

    /// The resources, in the order of [`Kind::seen`].
    pub fn resources(&self) -> Vec<&dyn Resource> {
        self.declared.iter().filter_map(Declared::resource).collect()
    }

    /// What the kind makes of an answer.
    pub fn seen(&self, out: Vec<u8>, err: Vec<u8>) -> Vec<Seen> {
        let resources = self.resources();
        match Answer::read(&self.question, &Output { status: 0, stdout: out, stderr: err }) {
            Err(told) => resources.iter().map(|_| Seen::Unknown(told.to_string())).collect(),
            Ok(mut answer) => {
                if let Ok(section) = answer.section(LOOKS) {
                    let looks = read_looks(&self.asked_looks(), section);
                    let keys = self.looks.iter().map(|(key, _)| key.clone());
                    answer.set_looks(keys.zip(looks).collect::<Vec<_>>());
                }
                (self.entry.parse)(&resources, &answer)
            }
        }
    }

    /// Keeps what a host said.
    pub fn keep(&self, name: &str, out: &[u8], err: &[u8]) {
        let folder = folder(self.entry.name).join("recorded");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("question"), self.fingerprint()).unwrap();
        std::fs::write(folder.join(format!("{name}.out")), out).unwrap();
        if !err.is_empty() {
            std::fs::write(folder.join(format!("{name}.err")), err).unwrap();
        }
    }

    fn asked_looks(&self) -> Vec<&Look> {
        self.looks.iter().map(|(_, look)| look).collect()
    }
}

const LIMIT: Duration = Duration::from_secs(60);
