//! The registry's rules, as tests.

mod hostile;

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::KINDS;
use crate::model::{HostName, Source};
use crate::resource::{
    Answer, Context, Desired, Entry, FieldValue, Fields, Kind, ProbeScript, Resource, SectionOutput, Seen, Touch,
};
use crate::transport::Output;
use crate::yaml::{Dialect, Node, Value, decode, parse};

/// Types and settles a resource from its fields, for the tests at the bottom of each kind's file.
pub(super) fn load<K: Kind>(fields: &str) -> Result<K, String> {
    let host = HostName::new("web1");
    let select = |pattern: &str| match pattern {
        "nobody" => Err("no host matches".to_owned()),
        name => Ok(vec![(HostName::new(name), "192.0.2.2".to_owned())]),
    };
    let context =
        Context { host: &host, address: "192.0.2.1", login_user: Some("admin"), ssh_port: 22, select: &select };
    let node = parse(&Source::new("test.yaml", fields), Dialect::Playbook).map_err(|told| format!("{told:?}"))?;
    let mut kind: K = decode(&node).map_err(|told| format!("{told:?}"))?;
    kind.settle(&context).map_err(|fault| format!("{fault:?}"))?;
    Ok(kind)
}

/// A recorded answer: `tests/fixtures/KIND/NAME.stdout` and `.stderr`; a file that is not there is an empty stream.
pub(super) fn section(kind: &str, name: &str, status: i32) -> SectionOutput {
    let path = |end: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind).join(format!("{name}.{end}"))
    };
    let (stdout, stderr) = (std::fs::read(path("stdout")), std::fs::read(path("stderr")));
    assert!(stdout.is_ok() || stderr.is_ok(), "no recording {kind}/{name}");
    SectionOutput { status, stdout: stdout.unwrap_or_default(), stderr: stderr.unwrap_or_default() }
}

fn files() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kinds");
    let mut stems: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|stem| stem != "mod" && stem != "tests")
        .collect();
    stems.sort();
    stems
}

#[test]
fn every_file_is_a_kind_and_every_kind_has_its_file() {
    let names: Vec<&str> = KINDS.iter().map(|entry| entry.name).collect();
    assert_eq!(files(), names, "src/kinds/*.rs against KINDS: a line is missing, out of order, or misnamed");
}

// The example of a kind, as it is and as something that should not be there, where it can be either.
fn examples(entry: &Entry) -> Vec<Box<dyn Resource>> {
    let host = HostName::new("example");
    let select = |_: &str| Ok(vec![(HostName::new("other"), "192.0.2.2".to_owned())]);
    let context =
        Context { host: &host, address: "192.0.2.1", login_user: Some("admin"), ssh_port: 22, select: &select };
    let source = Source::new(format!("{}.yaml", entry.name), entry.example);
    let node = parse(&source, Dialect::Playbook).unwrap_or_else(|told| panic!("{}: {told:?}", entry.name));
    let fields = node.get(entry.name).unwrap_or_else(|| panic!("{}: the example names another kind", entry.name));
    let with = |more: &[(&str, &str)]| {
        let mut fields = fields.clone();
        if let Value::Map(entries) = &mut fields.value {
            let place = fields.place.clone();
            entries.retain(|entry| !more.iter().any(|(key, _)| entry.key == *key));
            for (key, text) in more {
                let node = Node::new(place.clone(), Value::Text((*text).into()));
                entries.push(crate::yaml::Entry { key: (*key).into(), place: place.clone(), node });
            }
        }
        (entry.load)(&fields, &context)
    };
    // What the playbook loader makes of `from`.
    let rendered = ("content", "rendered\n");
    let manifest = r#"{"config":{"digest":"sha256:00","size":1},"layers":[]}"#.replace("00", &"0".repeat(64));
    let manifest = BASE64_STANDARD.encode(manifest);
    let written: &[(&str, &str)] = match entry.name {
        "template" => &[rendered],
        "ollama_model" => &[("source_base64", &manifest)],
        _ => &[],
    };
    let present = with(written).unwrap_or_else(|told| panic!("{}: {told:?}", entry.name));
    [present].into_iter().chain(with(&[("state", "absent")]).ok()).collect()
}

#[test]
fn every_example_loads() {
    for entry in KINDS {
        assert!(examples(entry).iter().all(|resource| resource.id().kind == entry.name));
    }
}

// A kind that says nothing of the way back would leave a rollback, and the guard, with nothing to put back.
#[test]
fn every_step_of_every_kind_says_how_it_is_undone() {
    for entry in KINDS.iter().filter(|entry| !entry.check) {
        assert!(!entry.undo.is_empty(), "{} does not say what a rollback of it puts back", entry.name);
        for resource in examples(entry) {
            let (fields, is_absent) = match resource.desired() {
                Desired::Present(fields) => (fields, false),
                Desired::Absent => (Fields::new(), true),
            };
            let names: Vec<String> = fields.keys().cloned().collect();
            let missing = Seen::NotYet { missing: "a tool".into(), brought_by: Vec::new() };
            let mut cases: Vec<(Seen, &[String])> = vec![(Seen::Present(Fields::new()), &names)];
            if !is_absent {
                cases.extend([(Seen::Absent, &[][..]), (missing, &[]), (Seen::Present(fields.clone()), &names)]);
            }
            for (seen, differing) in &cases {
                let steps = (entry.steps)(&[(resource.as_ref(), seen, differing)]);
                assert!(!steps.is_empty(), "{}: no step for {seen:?}", entry.name);
                for step in &steps {
                    assert!(step.says_how_it_is_undone(), "{}: `{}`", entry.name, step.title);
                    assert!(!step.risky || step.undo().is_some(), "{}: `{}`", entry.name, step.title);
                    // A batch is cut where risky resources begin; a risky step elsewhere would take others back with it.
                    assert!(!step.risky || resource.is_risky(), "{}: `{}`", entry.name, step.title);
                    for touch in step.undo().into_iter().flat_map(|undo| &undo.touches) {
                        assert_eq!(Touch::read(&touch.line()).as_ref(), Some(touch), "{}", entry.name);
                    }
                }
            }
        }
    }
}

fn examples_context<T>(work: impl FnOnce(&Context<'_>) -> T) -> T {
    let host = HostName::new("example");
    let select = |_: &str| Ok(vec![(HostName::new("other"), "192.0.2.2".to_owned())]);
    work(&Context { host: &host, address: "192.0.2.1", login_user: Some("admin"), ssh_port: 22, select: &select })
}

/// One item's fields, typed and settled; or why not.
pub(super) fn made<K: Kind>(fields: &str) -> Result<K, String> {
    let node = parse(&Source::new("test.yaml", fields), Dialect::Playbook).map_err(|told| format!("{told:?}"))?;
    typed(&node)
}

fn typed<K: Kind>(node: &Node) -> Result<K, String> {
    let host = HostName::new("example");
    let select = |_: &str| Ok(vec![(HostName::new("other"), "192.0.2.2".to_owned())]);
    let context =
        Context { host: &host, address: "192.0.2.1", login_user: Some("admin"), ssh_port: 22, select: &select };
    let mut kind: K = decode(node).map_err(|told| format!("{told:?}"))?;
    kind.settle(&context).map_err(|fault| format!("{}: {}", fault.field, fault.why))?;
    Ok(kind)
}

/// Reads a recording: `tests/fixtures/KIND/NAME` holds the items (`.yaml`, a list), and what a real host said to their
/// probe on both streams (`.out`, `.err`; framed by the nonce `nonce`). `spoil` may garble what was said.
pub(super) fn recorded<K: Kind>(name: &str, spoil: impl Fn(String) -> String) -> (Vec<K>, Vec<Seen>) {
    let path = format!("{}/tests/fixtures/{}/{name}", env!("CARGO_MANIFEST_DIR"), K::NAME);
    let read = |suffix: &str| std::fs::read_to_string(format!("{path}.{suffix}")).unwrap();
    let node = parse(&Source::new(name.to_owned(), read("yaml")), Dialect::Playbook).unwrap();
    let Value::List(items) = &node.value else { panic!("{name}.yaml is no list") };
    let batch: Vec<K> = items.iter().map(|item| typed(item.get(K::NAME).unwrap()).unwrap()).collect();
    let batch_of: Vec<&K> = batch.iter().collect();
    let mut script = ProbeScript::default();
    K::probe(&batch_of, &mut script);
    let question = script.finish("nonce", std::time::Duration::from_secs(60));
    let output = Output { status: 0, stdout: spoil(read("out")).into_bytes(), stderr: read("err").into_bytes() };
    let seen = match Answer::read(&question, &output) {
        Ok(answer) => K::parse(&batch_of, &answer),
        Err(told) => batch.iter().map(|_| Seen::Unknown(told.to_string())).collect(),
    };
    (batch, seen)
}

/// The names of the fields that differ, or what else was seen.
pub(super) fn drift<K: Kind>(wanted: &K, seen: &Seen) -> String {
    let Seen::Present(seen) = seen else { return format!("{seen:?}") };
    let Desired::Present(wanted) = wanted.desired() else { return "present".into() };
    let differs = |(name, value): &(&String, &FieldValue)| !seen.get(*name).is_some_and(|seen| value.agrees_with(seen));
    wanted.iter().filter(differs).map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_was_made_can_be_declared_gone_by_its_key() {
    let host = HostName::new("example");
    let select = |_: &str| Ok(vec![(HostName::new("other"), "192.0.2.2".to_owned())]);
    let context =
        Context { host: &host, address: "192.0.2.1", login_user: Some("admin"), ssh_port: 22, select: &select };
    let keys = [
        ("auditd", "50-identity"),
        ("authorized_key", "anna SHA256:0123456789012345678901234567890123456789012"),
        ("cron", "models"),
        ("apt_repository", "pgdg-main"),
        ("apt_unattended_upgrades", "unattended-upgrades"),
        ("archive", "/opt/it's here"),
        ("directory", "/srv/it's here"),
        ("docker_compose", "app in /srv/it's here"),
        ("docker_container", "app"),
        ("docker_image", "ghcr.io/a/b:1.0"),
        ("docker_network", "app-net"),
        ("download", "/srv/it's here"),
        ("file", "/etc/x: y, {z}"),
        ("firewall_nftables", "rempart"),
        ("firewall_rule", "allow 22/tcp"),
        ("firewall_rule", "deny out 80,443/tcp from 10.0.0.0/8, fd00::/8 on eth0"),
        ("firewall_rule", "limit route 60000:61000/udp to 192.0.2.7"),
        ("journald", "99-rempart"),
        ("logrotate", "gateway"),
        ("mount", "/srv/scratch"),
        ("group", "models"),
        ("line", "/etc/x line a: 'b' {c}"),
        ("line", "/etc/x match ^#?a\\s"),
        ("line", "/etc/x block ; a"),
        ("ollama_model", "qwen2.5:0.5b in /srv/it's here"),
        ("package_apt", "squid:amd64"),
        ("postgres_database", "it's \"app\""),
        ("postgres_role", "app $(id)"),
        ("postgres_setting", "work_mem"),
        ("squid", "/etc/squid/squid.conf"),
        ("sshd", "/etc/ssh/sshd_config.d/10-a.conf"),
        ("sudoers", "50-deploy"),
        ("symlink", "/srv/a 'link'"),
        ("sysctl", "net.ipv4.conf.eth0/1.rp_filter"),
        ("systemd_credential", "gw-token"),
        ("systemd_timer", "a"),
        ("systemd_unit", "a@.service"),
        ("template", "/etc/x"),
        ("user", "ollama"),
    ];
    for (kind, key) in keys {
        let gone = super::find(kind).unwrap().gone(key, &context);
        let gone = gone.unwrap_or_else(|why| panic!("{kind}:{key}: {why}"));
        assert_eq!((gone.resource.id().kind, gone.resource.id().key.as_str()), (kind, key));
        assert!(matches!(gone.resource.desired(), Desired::Absent), "{kind}");
    }
    let kept = [
        ("authorized_key", "anna keys"),
        ("archive", "/opt"),
        ("command", "touch /x"),
        ("directory", "/etc"),
        ("docker_network", "bridge"),
        ("file", "/etc/passwd"),
        ("file", "relative"),
        ("firewall_rule", "nonsense"),
        ("firewall_ufw", "ufw"),
        ("mount", "/home"),
        ("group", "sudo"),
        ("package_apt", "openssh-server"),
        ("package_apt", "a\tb"),
        ("postgres_database", "template1"),
        ("postgres_role", "postgres"),
        ("systemd_unit", "ssh.service"),
        ("template", "/home/admin/.ssh/authorized_keys"),
        ("user", "admin"),
        ("user", "root"),
    ];
    for (kind, key) in kept {
        assert!(super::find(kind).unwrap().gone(key, &context).is_err(), "{kind}:{key}");
    }
    let without: Vec<&str> =
        KINDS.iter().map(|entry| entry.name).filter(|name| !keys.iter().any(|(kind, _)| kind == name)).collect();
    assert_eq!(
        without,
        ["assert", "command", "firewall_ufw", "http_probe", "port_scan", "reboot"],
        "told in docs/kinds.md"
    );
}
