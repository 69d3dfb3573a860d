//! Squid as a filtering proxy: a whole squid.conf that lets listed names pass and refuses all else, and its daemon.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::quote::{Format, Sh, fits};
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Kind, ManagedFile, ProbeError, ProbeScript,
    Provision, Seen, Step, Touch, Undo, absolute_path, ask_clock, is_looping, is_newer, lifeline, show_units,
    unit_state,
};
use crate::secret::{Piece, Rendered};
use crate::sh;

const UNIT: &str = "squid.service";
const SOCKETS: &str = "tcp sockets";

// What squid says about itself goes to the log; of its parse, only the faults are for people.
const PARSE: &str = r#"rp_said=$(squid -k parse -f "$1" 2>&1) && return 0
printf '%s\n' "$rp_said" | grep -E 'FATAL|ERROR|unrecognized|not found' | sed "s|$1|squid.conf|g; s/^[^|]*| //" >&2
return 1"#;

// The same, where the line itself may hold a secret.
const PARSE_SECRETLY: &str = r#"rp_said=$(squid -k parse -f "$1" 2>&1) && return 0
printf '%s\n' "$rp_said" | grep -oE 'line [0-9]+|squid\.conf[^ ]*\([0-9]+\)' | sed 's/^/fault in /' >&2
return 1"#;

const SETTLE: &str = r#"rp_listens() {
  for rp_port; do
    rp_hex=$(printf %04X "$rp_port")
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -qiE "^ *[0-9]+: [0-9A-F]+:$rp_hex [0-9A-F]+:0000 0A" || return 1
  done
}
rp_serve() {
  for rp_i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    if systemctl is-active --quiet squid.service && rp_listens "$@"; then return 0; fi
    sleep 0.25
  done
  systemctl status --no-pager --full --lines=12 squid.service >&2 || :
  printf 'squid does not listen on %s\n' "$*" >&2
  exit 1
}"#;

/// Squid as a filtering proxy: a whole squid.conf that lets listed names pass and refuses all else, and its daemon.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Squid {
    /// Where it listens: ports, or `ADDRESS:PORT`. 3128 unless said.
    #[serde(default = "default_ports")]
    ports: Vec<Port>,
    /// Names that may be reached: `example.org`, or with a leading dot also all names below. No other passes.
    #[serde(default)]
    allow_domains: Vec<String>,
    /// Ports that may be reached on those names. 80 and 443 unless said.
    #[serde(default = "default_allow_ports")]
    allow_ports: Vec<u16>,
    /// Ports to which a tunnel (CONNECT) may be opened. 443 unless said.
    #[serde(default = "default_ssl_ports")]
    ssl_ports: Vec<u16>,
    /// Networks whose machines may use it, besides the host itself: addresses or CIDR.
    #[serde(default)]
    clients: Vec<String>,
    /// Where requests are logged, or `none`. /var/log/squid/access.log unless said.
    #[serde(default = "default_access_log")]
    access_log: String,
    /// The name it gives itself. The host's name in the inventory unless said.
    #[serde(default)]
    hostname: Option<String>,
    /// Further lines for squid.conf, checked by squid itself; may hold secrets. No access rules.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    extra: Vec<Rendered>,
    /// The configuration's path. /etc/squid/squid.conf unless said.
    #[serde(default = "default_path")]
    path: String,
    /// Whether it should be there. `absent` stops and disables the daemon and removes its configuration.
    #[serde(default)]
    state: State,
}

/// A port, alone or with the address that it is opened on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a port, or text like `127.0.0.1:3128`")]
enum Port {
    Number(u16),
    Text(String),
}

fn default_ports() -> Vec<Port> {
    vec![Port::Number(3128)]
}

fn default_allow_ports() -> Vec<u16> {
    vec![80, 443]
}

fn default_ssl_ports() -> Vec<u16> {
    vec![443]
}

fn default_access_log() -> String {
    "/var/log/squid/access.log".into()
}

fn default_path() -> String {
    "/etc/squid/squid.conf".into()
}

impl Port {
    // The address, where one is named, and the port.
    fn parts(&self) -> Option<(Option<IpAddr>, u16)> {
        match self {
            Port::Number(port) => Some((None, *port)),
            Port::Text(text) => match text.parse::<u16>() {
                Ok(port) => Some((None, port)),
                Err(_) => {
                    let socket: std::net::SocketAddr = text.parse().ok()?;
                    Some((Some(socket.ip()), socket.port()))
                }
            },
        }
        .filter(|(_, port)| *port != 0)
    }

    fn text(&self) -> String {
        match self {
            Port::Number(port) => port.to_string(),
            Port::Text(text) => text.clone(),
        }
    }

    fn is_served_by(&self, sockets: &[(IpAddr, u16)]) -> bool {
        self.parts().is_some_and(|(address, port)| {
            sockets.iter().any(|(at, on)| *on == port && address.map_or(at.is_unspecified(), |address| address == *at))
        })
    }
}

impl Squid {
    fn file(&self) -> ManagedFile {
        ManagedFile {
            path: self.path.clone(),
            content: Some(self.rendered()),
            mode: "0640".into(),
            owner: "root".into(),
            group: "root".into(),
        }
    }

    // A name that another one covers makes squid complain.
    fn domains(&self) -> Vec<&str> {
        let covers = |wide: &str, name: &str| {
            wide.strip_prefix('.').is_some_and(|base| wide != name && (base == name || name.ends_with(wide)))
        };
        let mut kept: Vec<&str> = Vec::new();
        for name in self.allow_domains.iter().map(String::as_str) {
            if !kept.contains(&name) && !self.allow_domains.iter().any(|wide| covers(wide, name)) {
                kept.push(name);
            }
        }
        kept
    }

    fn rendered(&self) -> Rendered {
        let mut text = String::from("# Managed by rempart.\n");
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        for port in &self.ports {
            line(format!("http_port {}", port.text()));
        }
        line("acl rempart_clients src 127.0.0.1 ::1".into());
        for client in &self.clients {
            line(format!("acl rempart_clients src {client}"));
        }
        for port in &self.allow_ports {
            line(format!("acl rempart_ports port {port}"));
        }
        for port in &self.ssl_ports {
            line(format!("acl rempart_tunnels port {port}"));
        }
        for domain in self.domains() {
            // Without `-n` an address would be looked up, and whoever owns its reverse name would decide.
            line(format!("acl rempart_domains dstdomain -n {domain}"));
        }
        line("http_access deny manager\nhttp_access deny !rempart_clients".into());
        // An ACL without a value is a fault to squid; with nothing to allow, all is denied in the end.
        line(
            if self.ssl_ports.is_empty() {
                "http_access deny CONNECT"
            } else {
                "http_access deny CONNECT !rempart_tunnels"
            }
            .into(),
        );
        line(
            if self.allow_ports.is_empty() {
                "http_access deny !CONNECT"
            } else {
                "http_access deny !CONNECT !rempart_ports"
            }
            .into(),
        );
        if !self.allow_domains.is_empty() {
            line("http_access deny !rempart_domains".into());
            line("http_access deny to_localhost\nhttp_access allow rempart_clients".into());
        }
        line("http_access deny all".into());
        line("cache deny all\ncache_mem 8 MB".into());
        match self.access_log.as_str() {
            "none" => line("access_log none".into()),
            path => line(format!("access_log stdio:{path} squid")),
        }
        line(format!("visible_hostname {}", self.hostname.as_deref().unwrap_or("proxy")));
        line("forwarded_for delete\nhttpd_suppress_version_string on\npinger_enable off".into());
        line("logfile_rotate 0\nshutdown_lifetime 1 seconds\ncoredump_dir /var/spool/squid".into());
        let mut pieces = vec![Piece::Plain(text)];
        for extra in &self.extra {
            pieces.extend(extra.pieces().iter().cloned());
            pieces.push(Piece::Plain("\n".into()));
        }
        Rendered::from_pieces(pieces)
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let unit = unit_state(answer, UNIT)?;
        if self.state == State::Absent {
            let gone = answer.stat(&self.path)?.is_none() && !unit.is_active() && !unit.is_enabled();
            return Ok(if gone { Seen::Absent } else { Seen::Present(Fields::new()) });
        }
        if unit.is_missing() {
            let brought_by = ["squid", "squid-openssl"].map(|name| Provision::Package(name.into()));
            return Ok(Seen::NotYet {
                missing: "squid is not installed".into(),
                brought_by: brought_by.into_iter().chain([Provision::Kind("package_apt")]).collect(),
            });
        }
        let mut fields = self.file().read(answer)?.unwrap_or_default();
        let active = unit.is_active() && !is_looping(answer, &unit)?;
        fields.insert("active".into(), FieldValue::Bool(active));
        fields.insert("enabled".into(), FieldValue::Bool(unit.is_enabled()));
        let newer = match answer.stat(&self.path)? {
            Some(stat) if active => is_newer(stat.ctime_us(), unit.reloaded_us()?),
            _ => false,
        };
        fields.insert("reload_pending".into(), FieldValue::Bool(newer));
        let sockets = sockets(answer)?;
        let served = self.ports.iter().filter(|port| port.is_served_by(&sockets)).map(Port::text);
        fields.insert("listening".into(), FieldValue::list(served));
        Ok(Seen::Present(fields))
    }
}

// The listening sockets, as the kernel tells them.
fn sockets(answer: &Answer) -> Result<Vec<(IpAddr, u16)>, ProbeError> {
    let section = answer.section(SOCKETS)?;
    let garbled = || ProbeError(format!("the kernel's list of sockets was not understood: {}", section.complaint()));
    let text = section.text()?;
    if section.status != 0 || !text.trim_start().starts_with("sl ") {
        return Err(garbled());
    }
    let mut all = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["sl", ..] | [] => {}
            [_, local, _, state, ..] => {
                let (address, port) = local.split_once(':').ok_or_else(garbled)?;
                let port = u16::from_str_radix(port, 16).map_err(|_| garbled())?;
                let address = kernel_address(address).ok_or_else(garbled)?;
                if state == "0A" {
                    all.push((address, port));
                }
            }
            _ => return Err(garbled()),
        }
    }
    Ok(all)
}

// 32-bit words in the machine's byte order, which is little-endian on every machine that Debian's kernels run rempart's
// hosts on; `::ffff:a.b.c.d` is the address it stands for.
fn kernel_address(hex: &str) -> Option<IpAddr> {
    let words: Option<Vec<[u8; 4]>> = (0..hex.len() / 8)
        .map(|at| Some(u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?.to_le_bytes()))
        .collect();
    let bytes: Vec<u8> = words?.concat();
    match bytes.len() {
        4 => Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?))),
        16 => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical()),
        _ => None,
    }
}

fn is_domain(name: &str) -> bool {
    let bare = name.strip_prefix('.').unwrap_or(name);
    let label = |label: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.len() <= 63 && label.chars().all(fine)
    };
    bare.len() <= 253 && bare.split('.').all(label)
}

fn is_network(text: &str) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| length.parse::<u8>().is_ok_and(|bits| bits <= most))
}

fn extra_line(text: &str) -> Result<(), String> {
    if text.chars().any(|c| c.is_control() && c != '\t') || text.ends_with('\\') {
        return Err("a line holds a control character, or joins the next one".into());
    }
    let word = text.split_whitespace().next().unwrap_or_default();
    match ["http_access", "http_port", "include"].into_iter().find(|taken| *taken == word) {
        Some(taken) => Err(format!("`{taken}` does not belong here")),
        None => Ok(()),
    }
}

impl Kind for Squid {
    const NAME: &'static str = "squid";
    const NAMED_BY: Option<&'static str> = Some("path");
    const SUMMARY: &'static str = "Squid as a filtering proxy: a whole squid.conf that lets listed names pass and refuses all else, and its daemon.";
    const EXAMPLE: &'static str =
        "squid: { allow_domains: [.ollama.ai, huggingface.co], clients: [192.0.2.0/24], ports: [3128] }";
    const UNDO: &'static str = "the old squid.conf, and whether the daemon runs, is enabled, and has read it.";

    fn key(&self) -> String {
        self.path.clone()
    }

    fn settle(&mut self, context: &Context<'_>) -> Result<(), Fault> {
        absolute_path("path", &self.path)?;
        if lifeline(&self.path).is_some() {
            return Err(Fault::new("path", format!("{} is no place for a squid.conf", self.path)));
        }
        let line = |field, text: &str| fits(Format::Squid, text).map_err(|why| Fault::new(field, why));
        line("path", &self.path)?;
        if self.ports.is_empty() {
            return Err(Fault::new("ports", "without a port squid does not start"));
        }
        if let Some(port) = self.ports.iter().find(|port| port.parts().is_none()) {
            return Err(Fault::new("ports", format!("`{}` is no port", port.text().escape_debug()))
                .fix("write a number, or ADDRESS:PORT such as 127.0.0.1:3128"));
        }
        if let Some(name) = self.allow_domains.iter().find(|name| !is_domain(name)) {
            let why = format!("`{}` is no name of a machine", name.escape_debug());
            return Err(Fault::new("allow_domains", why).fix("write example.org, or .example.org for all names below"));
        }
        if let Some(client) = self.clients.iter().find(|client| !is_network(client)) {
            return Err(Fault::new("clients", format!("`{}` is no network", client.escape_debug()))
                .fix("write an address, or a network such as 192.0.2.0/24"));
        }
        if self.access_log != "none" {
            absolute_path("access_log", &self.access_log)?;
            line("access_log", &self.access_log)?;
            if self.access_log.contains(char::is_whitespace) {
                return Err(Fault::new("access_log", "squid takes no path with a space"));
            }
        }
        let hostname = self.hostname.get_or_insert_with(|| context.host.to_string());
        if !is_domain(hostname) || hostname.starts_with('.') {
            return Err(Fault::new("hostname", format!("`{}` is no name of a machine", hostname.escape_debug())));
        }
        for extra in &self.extra {
            extra.check(extra_line).map_err(|why| {
                Fault::new("extra", why).fix("access comes from allow_domains, allow_ports, ssl_ports and clients")
            })?;
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.path.clone()), Provision::Unit(UNIT.into())]
    }

    fn uses(&self) -> Vec<Provision> {
        let packages = ["squid", "squid-openssl"].map(|name| Provision::Package(name.into()));
        packages.into_iter().chain([Provision::Path(self.path.clone())]).collect()
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let Desired::Present(mut fields) = self.file().desired() else { return Desired::Absent };
        fields.insert("active".into(), FieldValue::Bool(true));
        fields.insert("enabled".into(), FieldValue::Bool(true));
        fields.insert("reload_pending".into(), FieldValue::Bool(false));
        fields.insert("listening".into(), FieldValue::list(self.ports.iter().map(Port::text)));
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            wanted.file().probe(script);
            show_units(script, UNIT);
            ask_clock(script);
            let both = sh!("cat /proc/net/tcp || exit\n[ ! -e /proc/net/tcp6 ] || cat /proc/net/tcp6");
            script.section(SOCKETS, both);
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        let mut steps = Vec::new();
        for Change { position, wanted, seen, fields } in batch {
            let path = &wanted.path;
            if wanted.state == State::Absent {
                let script = sh!(
                    "if systemctl is-active --quiet squid.service; then systemctl stop squid.service; fi\n\
                     systemctl disable --quiet squid.service 2>/dev/null || :\nrm -f -- {}",
                    path
                );
                let expect = Expect::Nothing("whatever is left of it goes");
                let step = Step::new(format!("stop and disable squid, and remove {path}"), script);
                let undo = Undo::of([Touch::Path(path.clone()), Touch::Unit(UNIT.into())]);
                steps.push(step.undone_by(undo).expecting(expect).serving([*position]));
                continue;
            }
            let changed = |field: &str| fields.is_empty() || fields.iter().any(|name| name == field);
            if ["content", "mode", "owner", "group"].iter().any(|field| changed(field)) {
                let parse = if wanted.rendered().is_secret() { PARSE_SECRETLY } else { PARSE };
                let undo = Undo::of([Touch::Path(path.clone())])
                    .then(sh!("if systemctl is-active --quiet squid.service; then systemctl reload squid.service; fi"));
                let step = wanted.file().put(seen, Sh::program_of_the_user(parse)).undone_by(undo);
                steps.push(step.serving([*position]));
            }
            let ports: Vec<u16> = wanted.ports.iter().filter_map(Port::parts).map(|(_, port)| port).collect();
            let active =
                matches!(seen, Seen::Present(fields) if matches!(fields.get("active"), Some(FieldValue::Bool(true))));
            let mut script = Sh::program_of_the_user(SETTLE);
            if changed("enabled") {
                script.line(sh!("systemctl unmask --quiet squid.service\nsystemctl enable --quiet squid.service"));
            }
            // A daemon that does not listen although it has read its configuration needs more than a reload.
            let verb = match active {
                true if fields.iter().all(|field| field == "listening") => "restart",
                true => "reload",
                false => "restart",
            };
            script.line(sh!("sleep 0.02\nsystemctl reset-failed squid.service 2>/dev/null || :"));
            script.line(sh!("systemctl {} squid.service\nrp_serve {}", verb, ports));
            let title = match (active, verb) {
                (false, _) => "start squid",
                (true, "reload") => "make squid read its configuration anew",
                (true, _) => "restart squid",
            };
            let expect = Expect::Prints {
                command: sh!("systemctl is-active --quiet squid.service && echo active || echo not active"),
                output: if active { "active" } else { "not active" }.into(),
            };
            let step = Step::new(title, script).undone_by(Undo::of([Touch::Unit(UNIT.into())]));
            steps.push(step.expecting(expect).serving([*position]));
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::{drift, made, recorded};

    fn drifts(name: &str, spoil: impl Fn(String) -> String) -> String {
        let (batch, seen) = recorded::<Squid>(name, spoil);
        drift(&batch[0], &seen[0])
    }

    #[test]
    fn the_file_the_daemon_and_the_sockets_are_told_apart() {
        assert_eq!(drifts("changed", |text| text), "content enabled listening owner reload_pending");
        assert_eq!(drifts("failed", |text| text), "active content enabled listening owner");
        assert!(drifts("no_squid", |text| text).starts_with("NotYet"));
    }

    #[test]
    fn a_garbled_answer_is_unknown() {
        for spoil in [("  sl ", "x"), (":0C38 ", " 0C38 "), (":0C38 ", ":0Cxx "), ("LoadState=", "="), (" UTC\n", "\n")]
        {
            let seen = drifts("changed", |text| text.replace(spoil.0, spoil.1));
            assert!(seen.starts_with("Unknown"), "{spoil:?}: {seen}");
        }
        assert!(drifts("changed", |text| text[..text.len() / 2].to_owned()).starts_with("Unknown"));
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        assert_eq!(kernel_address("0100007F"), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(kernel_address("0000000000000000FFFF00000100007F"), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(kernel_address("00000000000000000000000001000000"), Some("::1".parse().unwrap()));
        assert_eq!(kernel_address("0100"), None);
    }

    #[test]
    fn only_what_is_listed_passes() {
        let squid: Squid = made("{ allow_domains: [.a.org, x.a.org, a.org, b.org, b.org] }").unwrap();
        assert_eq!(squid.domains(), [".a.org", "b.org"]);
        let text = squid.rendered().as_plain().unwrap();
        let order: Vec<&str> = text.lines().filter(|line| line.starts_with("http_access")).collect();
        assert_eq!(order.last(), Some(&"http_access deny all"));
        assert_eq!(order.iter().filter(|line| line.contains("allow")).count(), 1);
        let nothing: Squid = made("{ allow_domains: [] }").unwrap();
        assert!(!nothing.rendered().as_plain().unwrap().contains("http_access allow"));
    }

    #[test]
    fn what_squid_would_take_otherwise_than_meant_is_refused() {
        for fields in [
            "ports: []",
            "ports: [0]",
            "ports: [\"a:1\"]",
            "allow_domains: [\"*.a.org\"]",
            "clients: [all]",
            "clients: [192.0.2.0/33]",
            "extra: [\"http_access allow all\"]",
            "extra: [!secret \"a\\nhttp_access allow all\"]",
            "access_log: \"/var/log/x y\"",
        ] {
            assert!(made::<Squid>(&format!("{{ {fields} }}")).is_err(), "{fields}");
        }
    }

    proptest! {
        #[test]
        fn no_value_makes_a_line_of_its_own(value in "[^\0]{1,30}") {
            let lines = made::<Squid>("{ allow_domains: [a.org], clients: [192.0.2.1], extra: [x] }").unwrap();
            let count = lines.rendered().as_plain().unwrap().lines().count();
            let list = |field: &str, rest: &str| {
                serde_json::json!({ "allow_domains": ["a.org"], "clients": ["192.0.2.1"], "extra": ["x"], field: [value] })
                    .to_string() + rest
            };
            for field in ["allow_domains", "clients", "extra", "ports"] {
                if let Ok(squid) = made::<Squid>(&list(field, "")) {
                    prop_assert_eq!(squid.rendered().as_plain().unwrap().split('\n').count(), count + 1);
                }
            }
            let log = serde_json::json!({ "access_log": value, "hostname": "h" }).to_string();
            prop_assert!(made::<Squid>(&log).is_err() || !value.contains(char::is_whitespace));
        }
    }
}
