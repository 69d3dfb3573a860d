//! Owns looks that a host takes: as a section of its probe script, and what it answered.

use std::collections::BTreeMap;

use super::{Ask, Look, LookAnswer, PortState, SectionOutput};
use crate::quote::Sh;
use crate::sh;

// Essential on Debian, as perl-base is.
const PROGRAM: &str = include_str!("look.pl");

/// The commands with which a host takes looks; read-only, and to be run as a section of its own.
///
/// A look that a host cannot take (TLS, a request with a secret) is left out; [`read_looks`] says so.
pub fn look_script(looks: &[&Look]) -> Sh {
    let jobs: Vec<String> = looks.iter().enumerate().filter_map(|(at, look)| job(at, look).ok()).collect();
    sh!("printf '%s\\n' {} | perl -e {}", jobs, PROGRAM)
}

/// What the looks brought, in their order.
pub fn read_looks(looks: &[&Look], output: &SectionOutput) -> Vec<LookAnswer> {
    let text = String::from_utf8_lossy(&output.stdout);
    let whole = text.lines().last() == Some("end");
    looks
        .iter()
        .enumerate()
        .map(|(at, look)| {
            if let Err(why) = job(at, look) {
                return LookAnswer::Unknown(why);
            }
            let number = at.to_string();
            let line = text.lines().find_map(|line| {
                let (kind, rest) = line.split_once(' ')?;
                let (known, rest) = rest.split_once(' ')?;
                (known == number).then_some((kind, rest))
            });
            match line {
                Some(found) if whole => read(look, found),
                _ => LookAnswer::Unknown(format!(
                    "the look was cut short (status {}): {}",
                    output.status,
                    output.complaint()
                )),
            }
        })
        .collect()
}

fn read(look: &Look, (kind, text): (&str, &str)) -> LookAnswer {
    let garbled = || LookAnswer::Unknown("the look's answer is garbled".into());
    match (kind, &look.ask) {
        ("none", Ask::Http { .. }) => LookAnswer::NoConnection(text.to_owned()),
        ("unknown", _) => LookAnswer::Unknown(text.to_owned()),
        ("http", Ask::Http { .. }) => unhex(text).map_or_else(garbled, LookAnswer::Http),
        ("ports", Ask::Ports { ports, .. }) => {
            let lists: Vec<&str> = text.split(' ').collect();
            if lists.len() != 3 {
                return garbled();
            }
            let states = [PortState::Open, PortState::Closed, PortState::Filtered];
            let mut found = BTreeMap::new();
            for (list, state) in lists.iter().zip(states) {
                for port in list.split(',').filter(|port| *port != "-") {
                    let Ok(port) = port.parse() else { return garbled() };
                    found.insert(port, state);
                }
            }
            // A port that nobody told about is not closed.
            if ports.iter().all(|port| found.contains_key(port)) { LookAnswer::Ports(found) } else { garbled() }
        }
        _ => garbled(),
    }
}

fn job(at: usize, look: &Look) -> Result<String, String> {
    let plain = |address: &str| {
        let fine = !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_graphic());
        if fine { Ok(()) } else { Err(format!("`{}` is no address", address.escape_debug())) }
    };
    match &look.ask {
        Ask::Ports { address, ports, timeout_ms } => {
            plain(address)?;
            Ok(format!("ports {at} {timeout_ms} {address} {}", ranges(ports)))
        }
        Ask::Http { tls: Some(_), .. } => Err("a host cannot look over TLS; use `from: controller`".into()),
        Ask::Http { address, port, request, timeout_ms, limit, .. } => {
            plain(address)?;
            let request = request.as_plain().ok_or("a request with a secret is not put into a host's probe script")?;
            Ok(format!("http {at} {timeout_ms} {address} {port} {limit} {}", hex(request.as_bytes())))
        }
    }
}

// perl-base has no base64.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn ranges(ports: &[u16]) -> String {
    let mut sorted = ports.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut found: Vec<(u16, u16)> = Vec::new();
    for port in sorted {
        match found.last_mut() {
            Some((_, end)) if *end + 1 == port => *end = port,
            _ => found.push((port, port)),
        }
    }
    let text = |(from, to): &(u16, u16)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    found.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Vantage;

    fn ports(ports: &[u16]) -> Look {
        let ask = Ask::Ports { address: "127.0.0.1".into(), ports: ports.to_vec(), timeout_ms: 500 };
        Look { from: Vantage::Controller, ask }
    }

    fn run(looks: &[&Look]) -> Vec<LookAnswer> {
        let out = std::process::Command::new("sh").arg("-c").arg(look_script(looks).text()).output().unwrap();
        let status = out.status.code().unwrap();
        read_looks(looks, &SectionOutput { status, stdout: out.stdout, stderr: out.stderr })
    }

    #[test]
    fn a_host_finds_open_and_closed_ports_and_reads_answers() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let open = server.local_addr().unwrap().port();
        let served = std::thread::spawn(move || {
            use std::io::{Read, Write};
            for stream in server.incoming().take(2) {
                let mut stream = stream.unwrap();
                let mut request = [0; 18];
                if stream.read_exact(&mut request).is_ok() {
                    stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno").unwrap();
                    let _ = stream.read(&mut request);
                }
            }
        });
        let request = crate::secret::Rendered::plain("GET / HTTP/1.1\r\n\r\n");
        let http = |port| Look {
            from: Vantage::Controller,
            ask: Ask::Http {
                address: "127.0.0.1".into(),
                port,
                tls: None,
                request: request.clone(),
                timeout_ms: 2000,
                limit: 9999,
            },
        };
        let scan = ports(&[open, closed]);
        let mut answers = run(&[&scan, &http(open), &http(closed)]);
        assert!(matches!(answers.pop(), Some(LookAnswer::NoConnection(_))));
        let raw = b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno".to_vec();
        assert_eq!(answers.pop(), Some(LookAnswer::Http(raw)));
        let states = BTreeMap::from([(open, PortState::Open), (closed, PortState::Closed)]);
        assert_eq!(answers.pop(), Some(LookAnswer::Ports(states)));
        served.join().unwrap();
    }

    #[test]
    fn an_answer_that_is_cut_or_garbled_is_unknown() {
        let look = ports(&[22, 80]);
        for text in ["", "ports 0 22 80 -\n", "ports 0 22 - -\nend\n", "ports 0 x y z\nend\n", "http 0 4142\nend\n"] {
            let output = SectionOutput { stdout: text.into(), ..SectionOutput::default() };
            assert!(matches!(read_looks(&[&look], &output)[0], LookAnswer::Unknown(_)), "{text:?}");
        }
    }

    #[test]
    fn a_secret_never_stands_in_the_script() {
        let request = crate::secret::Rendered::secret(crate::secret::Secret::new("token", "hunter2"));
        let ask = Ask::Http { address: "x".into(), port: 1, tls: None, request, timeout_ms: 1, limit: 1 };
        let look = Look { from: Vantage::Controller, ask };
        assert!(!look_script(&[&look]).text().contains(&hex(b"hunter2")));
        assert!(matches!(read_looks(&[&look], &SectionOutput::default())[0], LookAnswer::Unknown(_)));
    }

    #[test]
    fn ports_are_written_as_ranges() {
        assert_eq!(ranges(&[443, 22, 23, 24, 65535]), "22-24,443,65535");
    }
}
