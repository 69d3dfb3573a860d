//! What playbooks write, in the one form in which it can be compared with what docker says.

use schemars::JsonSchema;
use serde::Deserialize;

/// A size or a count, as a number or as text with a unit.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number, or text such as `16g` or `1.5`")]
pub enum Amount {
    Whole(u64),
    Fraction(f64),
    Text(String),
}

impl Amount {
    fn text(&self) -> String {
        match self {
            Amount::Whole(number) => number.to_string(),
            Amount::Fraction(number) => number.to_string(),
            Amount::Text(text) => text.clone(),
        }
    }

    /// Bytes: a number, or a number with `b`, `k`, `m` or `g`.
    pub fn bytes(&self) -> Option<u64> {
        let text = self.text().to_lowercase();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit: u64 = match &text[digits.len()..] {
            "" | "b" => 1,
            "k" | "kb" => 1 << 10,
            "m" | "mb" => 1 << 20,
            "g" | "gb" => 1 << 30,
            _ => return None,
        };
        digits.parse::<u64>().ok()?.checked_mul(unit)
    }

    /// Processors in billionths, exactly.
    pub fn billionths(&self) -> Option<u64> {
        let text = self.text();
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        if part.len() > 9 || !part.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let part: u64 = format!("{part:0<9}").parse().ok()?;
        whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(part)
    }
}

/// Bytes as people write them; 0 is no limit.
pub fn size_text(bytes: u64) -> String {
    for (unit, size) in [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)] {
        if bytes != 0 && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    if bytes == 0 { "unlimited".into() } else { format!("{bytes}b") }
}

/// Billionths of processors as people write them; 0 is no limit.
pub fn cpus_text(billionths: u64) -> String {
    if billionths == 0 {
        return "unlimited".into();
    }
    let text = format!("{}.{:09}", billionths / 1_000_000_000, billionths % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A capability without `CAP_`, in capitals.
pub fn capability(name: &str) -> String {
    let name = name.to_uppercase();
    name.strip_prefix("CAP_").map_or(name.clone(), str::to_owned)
}

/// A security option in its shortest form.
pub fn security_option(option: &str) -> String {
    match option {
        "no-new-privileges:true" | "no-new-privileges=true" => "no-new-privileges".into(),
        other => other.replacen(':', "=", 1),
    }
}

/// A published port as `ADDRESS:PORT:CONTAINER_PORT/PROTOCOL`; `open` publishes on every address unless one is named.
pub fn port(text: &str, open: bool) -> Option<String> {
    let (mapping, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if !["tcp", "udp", "sctp"].contains(&protocol) {
        return None;
    }
    let (rest, inner) = mapping.rsplit_once(':')?;
    let (address, outer) = match rest.rsplit_once(':') {
        Some((address, outer)) => (address.trim_matches(['[', ']']).parse::<std::net::IpAddr>().ok()?, outer),
        None if open => (std::net::Ipv4Addr::UNSPECIFIED.into(), rest),
        None => (std::net::Ipv4Addr::LOCALHOST.into(), rest),
    };
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
    Some(published(&address, number(outer)?, number(inner)?, protocol))
}

/// A published port in the form of [`port`].
pub fn published(address: &std::net::IpAddr, outer: u16, inner: u16, protocol: &str) -> String {
    match address.is_ipv6() {
        true => format!("[{address}]:{outer}:{inner}/{protocol}"),
        false => format!("{address}:{outer}:{inner}/{protocol}"),
    }
}

/// A limit as `NAME=SOFT:HARD`.
pub fn limit(text: &str) -> Option<String> {
    let (name, value) = text.split_once('=')?;
    let (soft, hard) = value.split_once(':').unwrap_or((value, value));
    let fine = |text: &str| text.parse::<i64>().is_ok();
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase());
    (plain && fine(soft) && fine(hard)).then(|| format!("{name}={soft}:{hard}"))
}

/// A mount as `SOURCE:TARGET` or `SOURCE:TARGET:ro`.
pub fn volume(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [source, target] => (source, target, ""),
        [source, target, "rw"] => (source, target, ""),
        [source, target, "ro"] => (source, target, ":ro"),
        _ => return None,
    };
    let path = |path: &str| crate::resource::absolute_path("volumes", path).is_ok();
    let named = |name: &str| crate::resource::plain_name("volumes", name).is_ok() && name.len() > 1;
    let fine = (path(source) || named(source)) && path(target) && target != "/";
    (fine && !text.contains(',')).then(|| format!("{source}:{target}{mode}"))
}

/// Everything sorted, so that the order does not count.
pub fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}
