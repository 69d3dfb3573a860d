//! What the tests of the views show: a small fleet with one of everything, some of it hostile.

use std::collections::BTreeMap;

use serde_json::json;

use super::notes::Notes;
use crate::engine::{Healed, HostNote};
use crate::lockout::{Part, PartVerdict, Ruling, WayIn};
use crate::model::{HostName, Phase, ResourceId};
use crate::plan::{
    Act, DiffLine, FieldDelta, HostOutlook, Leftovers, Made, NOT_REACHED, Orphan, Outlook, Planned, Shown,
};

pub fn field(name: &str, from: Option<serde_json::Value>, to: serde_json::Value) -> FieldDelta {
    let from = from.map_or(Shown::Nothing, Shown::Value);
    FieldDelta { field: name.into(), from, to: Shown::Value(to), diff: Vec::new() }
}

pub fn text(name: &str, diff: &str) -> FieldDelta {
    let diff =
        diff.lines().map(|line| DiffLine { sign: line.chars().next().unwrap(), text: line[1..].into() }).collect();
    FieldDelta { field: name.into(), from: Shown::LongText, to: Shown::LongText, diff }
}

pub fn planned(phase: Phase, kind: &'static str, key: &str, line: usize, act: Act) -> Planned {
    let place = format!("play.yaml:{line}");
    Planned {
        item: 0,
        id: ResourceId::new(kind, key),
        phase,
        place,
        act,
        after: None,
        permanent: None,
        controls: Vec::new(),
    }
}

/// A way in of which one part has this ruling.
pub fn way_in(ruling: Ruling) -> WayIn {
    let verdict = PartVerdict {
        part: Part::Firewall,
        ruling,
        by: "table ip filter, the policy of INPUT: DROP".into(),
        resource: Some(ResourceId::new("firewall_ufw", "ufw")),
        place: Some("play.yaml:6".into()),
        fix: None,
    };
    let (from, to) = ("192.0.2.1".parse().ok(), "192.0.2.11".parse().ok());
    WayIn { from, to, port: Some(22), user: "admin".into(), with: "ssh-ed25519 key".into(), verdicts: vec![verdict] }
}

pub fn host(name: &str, resources: Vec<Planned>) -> HostOutlook {
    HostOutlook { host: HostName::new(name), unreachable: None, resources, way_in: None, left: Leftovers::default() }
}

pub fn outlook() -> Outlook {
    let web = |name: &str| {
        let squid = ResourceId::new("package_apt", "squid");
        let conf = ResourceId::new("template", "/etc/squid/squid.conf");
        let package = Act::Create { fields: vec![field("version", None, json!("5.7"))] };
        let mut template = planned(
            Phase::Hardening,
            "template",
            "/etc/squid/squid.conf",
            14,
            Act::Create {
                fields: vec![
                    field("mode", None, json!("0640")),
                    text("content", "+http_port 3128\n+acl\tall src (secret net)\n"),
                ],
            },
        );
        template.after = Some(squid);
        template.controls = vec!["CC-01".into(), "CC-07".into()];
        host(
            name,
            vec![
                planned(Phase::Preparation, "package_apt", "squid", 9, package),
                planned(Phase::Preparation, "user", "ollama", 10, Act::Same),
                template,
                planned(
                    Phase::Hardening,
                    "systemd_unit",
                    "squid",
                    18,
                    Act::React { reaction: "restart", because: conf },
                ),
                planned(Phase::Tests, "http_probe", "proxy", 22, Act::CheckLater),
            ],
        )
    };
    let change = Act::Change {
        fields: vec![
            text("content", " # managed\n-port = 1 \n-old\x1b[2J = x\n+port = 1\n+new = y\n@\n last\n"),
            field("owner", Some(json!("evil\u{202e}\n\"root\"")), json!("root")),
            field("mode", Some(json!("0600")), json!("0644")),
            FieldDelta {
                field: "token".into(),
                from: Shown::Hidden("(hidden: may hold an old secret)".into()),
                to: Shown::Hidden("(secret gw/token)".into()),
                diff: Vec::new(),
            },
        ],
    };
    let mut gone = planned(Phase::Installation, "file", "/etc/old\x1b]0;x\x07", 31, Act::Remove);
    gone.permanent = Some("nobody kept it");
    let long = |names: &[&str]| json!(names.iter().map(|n| format!("{n}.example.invalid:443")).collect::<Vec<_>>());
    let list = Act::Change { fields: vec![field("allow", Some(long(&["a", "b", "c"])), long(&["b", "c", "d"]))] };
    let finding = Act::Finding { fields: vec![field("open", Some(json!([22, 8080])), json!([22]))] };
    let db = host(
        "db1",
        vec![
            planned(Phase::Preparation, "file", "/etc/app.conf", 30, change),
            planned(Phase::Installation, "squid", "proxy", 33, list),
            gone,
            planned(Phase::Hardening, "sshd", "main", 35, Act::Unknown { why: "sshd -T says:\nno".into() }),
            planned(Phase::Tests, "port_scan", "db1", 40, finding),
        ],
    );
    let unknown = Act::Unknown { why: NOT_REACHED.into() };
    let of_lost = vec![planned(Phase::Preparation, "user", "ollama", 10, unknown)];
    let lost = HostOutlook { unreachable: Some("cannot reach it: no route to host".into()), ..host("old1", of_lost) };
    let calm = |name| host(name, vec![planned(Phase::Preparation, "user", "ollama", 10, Act::Same)]);
    Outlook { hosts: vec![web("web1"), web("web2"), db, lost, calm("calm1"), calm("calm2")] }
}

pub fn leftovers() -> Leftovers {
    let made = |id: &str, site: &str| Made {
        id: id.into(),
        playbook: "base".into(),
        site: site.into(),
        run: "0123456789ab".into(),
    };
    Leftovers {
        orphans: vec![
            Orphan { made: made("file:/etc/old\x1b[2J", ""), kept: None },
            Orphan { made: made("command:once", "site"), kept: Some("it cannot be removed by rempart".into()) },
        ],
        of_other_sites: vec![made("file:/etc/other", "prod")],
        orphans_unknown: None,
    }
}

pub fn notes() -> Notes {
    BTreeMap::from([(
        HostName::new("db1"),
        HostNote {
            healed: Some(Healed { at: 1_772_368_245, by: "timer".into(), differs: Vec::new() }),
            ..HostNote::default()
        },
    )])
}
