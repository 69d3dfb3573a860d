//! What a project's file wants and what is there, as the host told it.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::ProbeError;

/// The services of a project.
#[derive(Debug, Default)]
pub struct Services {
    /// The hash of each service in the file.
    pub want: BTreeMap<String, String>,
    /// Each container: its service, its state, and the hash it was made with.
    pub is: Vec<[String; 3]>,
    /// Whether it has networks.
    pub networks: bool,
}

impl Services {
    /// Reads what `rp_services` prints.
    pub fn read(text: &str) -> Result<Self, ProbeError> {
        let garbled = || ProbeError("compose's answer was not understood".into());
        let lines: Vec<&str> = text.split('\n').collect();
        let ["begin", lines @ .., "end"] = &lines[..] else { return Err(garbled()) };
        let mut all = Self::default();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                _ if words.iter().any(|word| word.is_empty()) => return Err(garbled()),
                ["want", service, hash] => {
                    all.want.insert(service.to_owned(), hash.to_owned());
                }
                ["is", service, state, hash] => all.is.push([service, state, hash].map(str::to_owned)),
                ["network", _] => all.networks = true,
                _ => return Err(garbled()),
            }
        }
        Ok(all)
    }

    /// Whether it has containers, as a word.
    pub fn some(&self) -> &'static str {
        if self.is.is_empty() { "none" } else { "some" }
    }

    /// What differs from the file, in words; nothing where all run as it says.
    pub fn trouble(&self) -> Vec<String> {
        let mut trouble = BTreeSet::new();
        for service in self.want.keys().filter(|want| !self.is.iter().any(|[service, ..]| service == *want)) {
            trouble.insert(format!("{service}: missing"));
        }
        for [service, state, hash] in &self.is {
            let how = match self.want.get(service) {
                None => "not in the file",
                Some(_) if state != "running" => state,
                Some(want) if want != hash => "not as the file says",
                Some(_) => continue,
            };
            trouble.insert(format!("{service}: {how}"));
        }
        trouble.into_iter().collect()
    }
}
