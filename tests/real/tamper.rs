//! Every field of every kind, changed behind rempart's back by other means: `drift` names it, `apply` mends it.
//!
//! `tests/tamper/KIND/` holds a `playbook.yaml` for a bare Debian 12, one `FIELD.sh` for each field (root runs it on
//! the host; `# expect: kind:key` and `# field: name` say what drift must name), and `exempt.txt` with the fields that
//! are no state of a host, each with its reason. `failing.sh` and `garbled.sh` make the tool that the kind asks fail, or
//! print junk, until their `# restore: command`; then nothing is known, which must never pass for anything else.
//!
//! `UPDATE_RECORDINGS=1` keeps what the host said each time in `recorded/`, which `tests/recordings.rs` reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rempart::kinds::KINDS;
use serde_json::Value;

use crate::fixture::{Lab, Machine, Ran};
use crate::recording;

macro_rules! tampered {
    ($($kind:ident)*) => {
        /// The kinds with a test below, which boots a host of its own.
        const TESTED: &[&str] = &[$(stringify!($kind)),*];

        mod kind {
            $(#[test] fn $kind() { super::tamper_with(stringify!($kind)); })*
        }
    };
}

tampered! {
    apt_repository apt_unattended_upgrades archive assert auditd authorized_key command cron directory
    docker_compose docker_container docker_image docker_network download file firewall_nftables firewall_rule firewall_ufw group http_probe journald line logrotate mount
    ollama_model package_apt port_scan postgres_database postgres_role postgres_setting reboot squid sshd sudoers
    symlink sysctl systemd_credential systemd_timer systemd_unit template user
}

/// Kinds whose hosts run Docker.
const WITH_DOCKER: [&str; 4] = ["docker_compose", "docker_container", "docker_image", "docker_network"];

/// Scripts after which nothing can be known.
const UNKNOWN: [&str; 2] = ["failing", "garbled"];

struct Script {
    path: PathBuf,
    stem: String,
    text: String,
}

impl Script {
    fn header(&self, word: &str) -> Option<&str> {
        let mark = format!("# {word}: ");
        self.text.lines().find_map(|line| line.strip_prefix(&mark)).map(str::trim)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tamper")
}

fn scripts(kind: &str) -> Vec<Script> {
    let mut all: Vec<Script> = fs::read_dir(folder().join(kind))
        .unwrap_or_else(|error| panic!("tests/tamper/{kind}: {error}"))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sh"))
        .map(|path| Script {
            stem: path.file_stem().unwrap().to_string_lossy().into_owned(),
            text: fs::read_to_string(&path).unwrap(),
            path,
        })
        .collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target)
        } else {
            let _ = fs::copy(&path, &target).unwrap();
        }
    }
}

/// Whether what drift says of a resource names the field. A resource that is gone, or back, is its `state`.
fn names(planned: &Value, field: &str) -> bool {
    let whole = matches!(planned["state"].as_str(), Some("missing" | "unwanted"));
    let fields = planned["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = fields.iter().filter_map(|known| known["field"].as_str());
    whole || named.into_iter().any(|known| known == field || known.starts_with(&format!("{field}.")))
}

// What the host says to the kind's probe now, kept as a recording.
struct Recorder(Option<recording::Kind>);

impl Recorder {
    fn new(kind: &str) -> Self {
        let wanted = std::env::var_os("UPDATE_RECORDINGS").is_some_and(|value| value == "1");
        if wanted {
            let _ = fs::remove_dir_all(recording::folder(kind).join("recorded"));
        }
        Recorder(wanted.then(|| recording::Kind::load(kind)))
    }

    fn keep(&self, lab: &Lab, name: &str) {
        let Some(kind) = &self.0 else { return };
        // As sudo runs it: a clean environment, and the directories of the administrator first.
        let asked = format!(
            "cat >/run/rp-ask <<'rp-end-of-the-question'\n{}\nrp-end-of-the-question\n\
             env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh /run/rp-ask >/run/rp-out 2>/run/rp-err; \
             base64 -w0 /run/rp-out; echo; base64 -w0 /run/rp-err; echo; rm -f /run/rp-ask /run/rp-out /run/rp-err",
            kind.script()
        );
        let said = lab.on("web1", &asked);
        let mut streams = said.lines().map(|line| BASE64_STANDARD.decode(line).unwrap());
        kind.keep(name, &streams.next().unwrap(), &streams.next().unwrap());
    }
}

fn tamper_with(kind: &str) {
    let mut machine = Machine::new("web1");
    machine.docker = WITH_DOCKER.contains(&kind);
    let Some(lab) = Lab::boot(kind, &[machine]) else { return };
    copy(&folder().join(kind), lab.folder.path());
    let recorder = Recorder::new(kind);
    recorder.keep(&lab, "bare");
    lab.apply().ends(0);
    recorder.keep(&lab, "applied");
    let again = lab.plan();
    assert_eq!((again.code, again.differing()), (0, vec![]), "{kind}: the second plan is not empty: {again}");
    lab.drift().ends(0);
    let mut faults = Vec::new();
    for script in scripts(kind) {
        if let Err(fault) = one(&lab, &script, &recorder) {
            faults.push(format!("== {kind}/{}.sh: {fault}", script.stem));
            // What one script left must not spoil the next.
            lab.apply();
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn one(lab: &Lab, script: &Script, recorder: &Recorder) -> Result<(), String> {
    let check = |good: bool, what: &str, ran: &Ran| if good { Ok(()) } else { Err(format!("{what}\n{ran}")) };
    let tampered = lab.try_on("web1", &script.text);
    check(tampered.code == 0, "the script itself failed", &tampered)?;
    // A check is not judged while something else differs that it may look at; so it is asked about alone.
    let is_check = |kind: &str| KINDS.iter().any(|entry| entry.name == kind && entry.check);
    let alone = script.header("expect").and_then(|id| id.split(':').next()).is_some_and(is_check);
    let found = match alone {
        true => lab.rempart(&["drift", "playbook.yaml", "--json", "--phase", "tests"]),
        false => lab.drift(),
    };
    recorder.keep(lab, &script.stem);
    let id = script.header("expect").ok_or("it has no `# expect:`")?;
    if UNKNOWN.contains(&script.stem.as_str()) {
        let told = found.differing().iter().any(|(known, word)| known == id && word == "unknown");
        let restored = lab.try_on("web1", script.header("restore").ok_or("it has no `# restore:`")?);
        check(restored.code == 0, "what restores it failed", &restored)?;
        check(told && found.code == 1, &format!("drift does not call {id} unknown, with exit 1"), &found)?;
        let clean = lab.drift();
        return check(clean.code == 0, "drift is not clean after the restoration", &clean);
    }
    check(found.code == 2, "drift does not exit 2", &found)?;
    check(found.differing().iter().any(|(known, _)| known == id), &format!("drift does not name {id}"), &found)?;
    if let Some(field) = script.header("field") {
        let told = names(&found.resource("web1", id), field);
        check(told, &format!("drift names {id} but not its field {field}"), &found)?;
    }
    let mended = lab.apply();
    check(mended.code == 0, "apply does not mend it", &mended)?;
    let clean = lab.drift();
    check(clean.code == 0, "drift is not clean afterwards", &clean)
}

/// The names of a kind's fields, from its JSON Schema; those of its variants too.
fn fields_of(schema: &Value, into: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        into.extend(properties.keys().cloned());
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        for variant in schema[word].as_array().map(Vec::as_slice).unwrap_or_default() {
            fields_of(variant, into);
        }
    }
}

fn exempt(kind: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder().join(kind).join("exempt.txt")).unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (field, why) = line.split_once(": ").unwrap_or((line, ""));
            (field.to_owned(), why.trim().to_owned())
        })
        .collect()
}

/// What is wrong with a kind's scripts, given its fields.
fn gaps(kind: &str, fields: &BTreeSet<String>, scripts: &[Script], exempt: &BTreeMap<String, String>) -> Vec<String> {
    let mut gaps = Vec::new();
    for field in fields {
        let has_script = scripts.iter().any(|script| script.stem == *field);
        match (has_script, exempt.contains_key(field)) {
            (false, false) => gaps.push(format!("{kind}.{field} has neither a script nor an exemption")),
            (true, true) => gaps.push(format!("{kind}.{field} has a script and an exemption")),
            _ => {}
        }
    }
    for (field, why) in exempt {
        if !fields.contains(field) && !UNKNOWN.contains(&field.as_str()) {
            gaps.push(format!("{kind}/exempt.txt names `{field}`, which is no field"));
        }
        if why.is_empty() {
            gaps.push(format!("{kind}/exempt.txt gives no reason for `{field}`"));
        }
    }
    for stem in UNKNOWN {
        let has_script = scripts.iter().any(|script| script.stem == stem);
        if has_script == exempt.contains_key(stem) {
            gaps.push(format!("{kind}/{stem}.sh: either the script, or a reason in exempt.txt"));
        }
    }
    for script in scripts {
        let stem = &script.stem;
        if UNKNOWN.contains(&stem.as_str()) {
            if script.header("expect").is_none() || script.header("restore").is_none() {
                gaps.push(format!("{kind}/{stem}.sh wants `# expect: kind:key` and `# restore: command`"));
            }
            continue;
        }
        // A second script of a field is `FIELD-more.sh`; one for what only the host knows is named as drift names it.
        let of_field = fields.contains(stem.split('-').next().unwrap_or(stem));
        let of_host = script
            .header("field")
            .is_some_and(|field| field.split('.').next() == stem.split('-').next() || field.replace('.', "_") == *stem);
        if !of_field && !of_host {
            gaps.push(format!("{kind}/{stem}.sh: `{stem}` is no field, nor what its `# field:` says"));
        }
        if !script.header("expect").is_some_and(|id| id.split_once(':').is_some_and(|(kind, _)| is_kind(kind))) {
            gaps.push(format!("{kind}/{stem}.sh has no `# expect: kind:key`"));
        }
    }
    gaps
}

fn is_kind(name: &str) -> bool {
    KINDS.iter().any(|entry| entry.name == name)
}

#[test]
fn every_field_of_every_kind_has_a_script_or_a_reason() {
    let mut all = Vec::new();
    for entry in KINDS {
        if !folder().join(entry.name).join("playbook.yaml").is_file() {
            all.push(format!("tests/tamper/{}/playbook.yaml is missing", entry.name));
            continue;
        }
        let schema = (entry.schema)(&mut schemars::SchemaGenerator::default());
        let mut fields = BTreeSet::new();
        fields_of(schema.as_value(), &mut fields);
        assert!(!fields.is_empty(), "{}: its schema shows no fields", entry.name);
        all.extend(gaps(entry.name, &fields, &scripts(entry.name), &exempt(entry.name)));
    }
    let kinds: Vec<&str> = KINDS.iter().map(|entry| entry.name).collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !is_kind(&name) {
            all.push(format!("tests/tamper/{name} is of no kind"));
        }
    }
    let untested: Vec<_> = kinds.iter().filter(|kind| !TESTED.contains(kind)).collect();
    let gone: Vec<_> = TESTED.iter().filter(|kind| !kinds.contains(kind)).collect();
    if !untested.is_empty() || !gone.is_empty() {
        all.push(format!("tests/real/tamper.rs: without a test: {untested:?}; of no kind: {gone:?}"));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

// The registry test's own test: each sort of gap is found.
#[test]
fn gaps_are_found() {
    let fields = BTreeSet::from(["mode", "owner", "path"].map(str::to_owned));
    let script = |stem: &str, text: &str| Script { path: PathBuf::new(), stem: stem.into(), text: text.into() };
    let good = "# expect: file:/x\n# field: mode\n";
    let exempt = |lines: &[(&str, &str)]| lines.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let whole = exempt(&[("path", "identity")]);
    let blind = "# expect: file:/x\n# restore: true\n";
    let both = || vec![script("mode", good), script("owner", good), script("failing", blind), script("garbled", blind)];
    assert_eq!(gaps("file", &fields, &both(), &whole), Vec::<String>::new());
    let mut more = both();
    more.push(script("owner-two", good));
    more.push(script("seen_late", "# expect: file:/x\n# field: seen.late\n"));
    assert_eq!(gaps("file", &fields, &more, &whole), Vec::<String>::new());
    assert_eq!(gaps("file", &fields, &both()[1..], &whole).len(), 1, "no script");
    assert_eq!(gaps("file", &fields, &both(), &exempt(&[("path", "x"), ("mode", "x")])).len(), 1, "both");
    assert_eq!(gaps("file", &fields, &both(), &exempt(&[("path", "x"), ("gone", "x")])).len(), 1, "stale exemption");
    assert_eq!(gaps("file", &fields, &both(), &exempt(&[("path", "")])).len(), 1, "no reason");
    let mut stale = both();
    stale.push(script("mdoe", good));
    assert_eq!(gaps("file", &fields, &stale, &whole).len(), 1, "stale script");
    let silent = [script("mode", good), script("owner", "true"), script("failing", blind), script("garbled", blind)];
    assert_eq!(gaps("file", &fields, &silent, &whole).len(), 1, "no expect");
    assert_eq!(gaps("file", &fields, &both()[..3], &whole).len(), 1, "nothing garbled");
    let mut bound = both();
    bound[2] = script("failing", good);
    assert_eq!(gaps("file", &fields, &bound, &whole).len(), 1, "no restore");
}

// The lab test's own test: what is not tampered with must not pass.
#[test]
fn a_script_that_changes_nothing_is_a_fault() {
    let Some(lab) = Lab::boot_one("a script that changes nothing") else { return };
    copy(&folder().join("file"), lab.folder.path());
    lab.apply().ends(0);
    let text = "# expect: file:/etc/rp-tamper\ntrue\n".to_owned();
    let script = Script { path: PathBuf::new(), stem: "mode".into(), text };
    let fault = one(&lab, &script, &Recorder(None)).unwrap_err();
    assert!(fault.contains("drift does not exit 2"), "{fault}");
    let text = "# expect: file:/etc/rp-tamper\n# field: owner\nchmod 0600 /etc/rp-tamper\n".to_owned();
    let fault = one(&lab, &Script { path: PathBuf::new(), stem: "mode".into(), text }, &Recorder(None)).unwrap_err();
    assert!(fault.contains("but not its field owner"), "{fault}");
}
