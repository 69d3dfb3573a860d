//! Canaries: secrets of many shapes, every form in which one could come to light, and the search for them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// A secret that is looked for.
#[derive(Clone, Debug)]
pub struct Canary {
    pub name: &'static str,
    pub value: String,
}

/// The shapes: what has been taken for something else, cut, or quoted wrongly somewhere before.
pub const SHAPES: [&str; 8] = ["key", "quotes", "base64", "hex", "url", "pin", "blanks", "long"];

/// A new set, that nobody has seen before.
pub fn flock() -> Vec<Canary> {
    SHAPES.map(|name| Canary { name, value: value(name) }).into()
}

fn random(bytes: usize) -> Vec<u8> {
    (0..bytes.div_ceil(8)).flat_map(|_| RandomState::new().build_hasher().finish().to_le_bytes()).take(bytes).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn value(shape: &str) -> String {
    let salt = hex(&random(6));
    match shape {
        "key" => {
            let lines: String = (0..5).map(|_| format!("{}\n", STANDARD.encode(random(48)))).collect();
            format!("-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----\n")
        }
        "quotes" => format!("a'b\"{salt}$(id)`id`\\d%s&<x>{salt}'\""),
        "base64" => STANDARD.encode(random(32)),
        "hex" => hex(&random(32)),
        "url" => format!("p@ss:{salt}/?#[x]=1&ö+{salt}"),
        // Two characters, of those that nothing here is written in.
        "pin" => {
            let rare: Vec<char> = "ƕƣƩǂȣɅɮʬ".chars().collect();
            random(2).iter().map(|byte| rare[usize::from(*byte) % rare.len()]).collect()
        }
        "blanks" => format!("  {salt} and\t{salt}  "),
        _ => hex(&random(2048)),
    }
}

/// Where a canary was seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    pub place: String,
    pub canary: &'static str,
    pub form: &'static str,
}

struct Needle {
    bytes: Vec<u8>,
    canary: &'static str,
    form: &'static str,
}

/// Looks for canaries in all their forms, in one pass over what is searched.
pub struct Search {
    needles: BTreeMap<[u8; 2], Vec<Needle>>,
    starts: Vec<bool>,
}

/// Shorter ones would be found by chance in what is no text.
const SURE: usize = 6;

impl Search {
    pub fn new(canaries: &[Canary]) -> Self {
        let mut search = Self { needles: BTreeMap::new(), starts: vec![false; 1 << 16] };
        let mut known = BTreeSet::new();
        for canary in canaries {
            for (form, bytes) in forms(&canary.value) {
                if known.insert(bytes.clone()) {
                    let start = [bytes[0], bytes[1]];
                    search.starts[usize::from(u16::from_be_bytes(start))] = true;
                    search.needles.entry(start).or_default().push(Needle { bytes, canary: canary.name, form });
                }
            }
        }
        search
    }

    /// What is in these bytes, each canary and form once.
    pub fn bytes(&self, place: &str, bytes: &[u8]) -> Vec<Hit> {
        let text = std::str::from_utf8(bytes).is_ok();
        let mut hits = BTreeSet::new();
        for at in 0..bytes.len().saturating_sub(1) {
            let start = [bytes[at], bytes[at + 1]];
            if !self.starts[usize::from(u16::from_be_bytes(start))] {
                continue;
            }
            for needle in &self.needles[&start] {
                if bytes[at..].starts_with(&needle.bytes) && (text || needle.bytes.len() >= SURE) {
                    hits.insert(Hit { place: place.to_owned(), canary: needle.canary, form: needle.form });
                }
            }
        }
        hits.into_iter().collect()
    }

    /// What is in the files below `folder` that changed since `since`, and in their names. `allowed` are paths below
    /// `folder`. How many files were read comes beside it: a search that reads nothing finds nothing.
    pub fn files(&self, folder: &Path, since: SystemTime, allowed: &[String]) -> (Vec<Hit>, usize) {
        let (mut hits, mut read, mut left) = (Vec::new(), 0, vec![folder.to_owned()]);
        while let Some(at) = left.pop() {
            let Ok(entries) = fs::read_dir(&at) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                let place = format!("/{}", path.strip_prefix(folder).unwrap_or(&path).display());
                if allowed.contains(&place) {
                    continue;
                }
                hits.extend(self.bytes(&format!("the name {place}"), place.as_bytes()));
                let Ok(meta) = fs::symlink_metadata(&path) else { continue };
                if meta.is_dir() && !["/proc", "/sys"].contains(&place.as_str()) {
                    left.push(path);
                } else if meta.is_file() && changed_since(&meta, since) {
                    read += 1;
                    hits.extend(self.bytes(&place, &fs::read(&path).unwrap_or_default()));
                }
            }
        }
        (hits, read)
    }
}

// The change of an inode cannot be set back, as its content's time can.
fn changed_since(meta: &fs::Metadata, since: SystemTime) -> bool {
    use std::os::unix::fs::MetadataExt;
    let since = since.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    meta.ctime() >= i64::try_from(since).unwrap_or(i64::MAX)
}

/// Every form of a value: plain, base64, hex, URL, as shells, JSON, C and HTML write it; its lines one by one, too.
pub fn forms(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<(&'static str, Vec<u8>)> = vec![("plain", value.into())];
    all.extend(value.lines().filter(|line| line.len() >= 16 && !line.contains("PRIVATE KEY")).map(|line| {
        // A message may cut a line as well.
        ("a line of it", line.trim().as_bytes()[..line.trim().len().min(48)].to_vec())
    }));
    for bytes in [value.as_bytes(), value.trim_end().as_bytes()] {
        for engine in [&STANDARD, &URL_SAFE] {
            for lead in 0..3 {
                all.extend(encoded(engine, bytes, lead).map(|text| ("base64", text)));
            }
        }
        let plain = hex(bytes);
        all.push(("hex", plain.to_uppercase().into()));
        all.push(("hex", plain.into()));
        let percent = |upper: bool, plus: bool| -> Vec<u8> {
            let write = |byte: &u8| match *byte {
                b' ' if plus => "+".to_owned(),
                byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => char::from(byte).to_string(),
                byte if upper => format!("%{byte:02X}"),
                byte => format!("%{byte:02x}"),
            };
            bytes.iter().map(write).collect::<String>().into()
        };
        all.extend([(true, false), (false, false), (true, true)].map(|(upper, plus)| ("URL", percent(upper, plus))));
        let text = String::from_utf8_lossy(bytes).into_owned();
        all.push(("shell", text.replace('\'', "'\\''").into()));
        all.push(("shell", text.replace('\'', "'\"'\"'").into()));
        all.push(("shell", backslashed(&text, |c| !c.is_alphanumeric()).into()));
        all.push(("shell", backslashed(&text, |c| "\"\\$`".contains(c)).into()));
        all.push(("JSON", serde_json::to_string(&text).unwrap_or_default().trim_matches('"').into()));
        all.push(("debug", format!("{text:?}").trim_matches('"').into()));
        all.push(("debug", text.escape_default().to_string().into()));
        let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        all.push(("HTML", html.clone().into()));
        all.push(("HTML", html.replace('\'', "&#39;").into()));
    }
    all.retain(|(form, bytes)| bytes.len() >= if *form == "base64" { SURE } else { 4 });
    all
}

fn backslashed(text: &str, special: impl Fn(char) -> bool) -> String {
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

// What stays the same of an encoding, whatever stands before (`lead` bytes, modulo three) and behind.
fn encoded(engine: &impl Engine, bytes: &[u8], lead: usize) -> Option<Vec<u8>> {
    let text = engine.encode([&vec![0; lead], bytes].concat());
    let text = text.trim_end_matches('=').as_bytes();
    let first = (lead * 8).div_ceil(6);
    let last = (lead + bytes.len()) * 8 / 6;
    text.get(first..last).map(<[u8]>::to_vec)
}

/// Reads the arguments and the environment of every process of this machine, its lab hosts' included, again and again.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<usize>>,
    hits: Arc<Mutex<BTreeSet<Hit>>>,
}

impl Watch {
    pub fn begin(search: Arc<Search>) -> Self {
        let (stop, hits) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
        let (stopped, found) = (stop.clone(), hits.clone());
        let thread = std::thread::spawn(move || {
            let mut seen = 0;
            while !stopped.load(Ordering::Relaxed) {
                for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
                    let path = process.path();
                    let read = |name: &str| fs::read(path.join(name)).unwrap_or_default();
                    let (argv, environ) = (read("cmdline"), read("environ"));
                    if argv.is_empty() {
                        continue;
                    }
                    seen += 1;
                    let program: Vec<u8> = argv.iter().take_while(|byte| **byte != 0).copied().collect();
                    let program = String::from_utf8_lossy(&program).into_owned();
                    let mut hits = search.bytes(&format!("the arguments of {program}"), &argv);
                    hits.extend(search.bytes(&format!("the environment of {program}"), &environ));
                    found.lock().unwrap().extend(hits);
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            seen
        });
        Self { stop, thread: Some(thread), hits }
    }

    /// What was seen, and in how many looks at a process.
    pub fn end(mut self) -> (Vec<Hit>, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        (self.hits.lock().unwrap().iter().cloned().collect(), seen)
    }
}
