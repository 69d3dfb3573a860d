//! Owns what cannot be a host's address: a URL, a user before it, a port behind it, numbers that are no IPv4 address.
//!
//! Must not know where it stands. What could be a name is left to ssh_config and DNS, which alone know names.

use std::net::Ipv6Addr;

/// Why a word is no address, and what to do about it; `None` if it may be one.
pub(super) fn refuse(address: &str) -> Option<(&'static str, String)> {
    let (user, bare) = match address.split_once("://") {
        Some((_, rest)) => {
            let host = rest.split(['/', '?', '#']).next().unwrap_or("");
            let host = host.rsplit('@').next().unwrap_or("");
            return Some(("a URL is no address", format!("write the host's name or address alone: {host}")));
        }
        None => address.rsplit_once('@').map_or((None, address), |(user, bare)| (Some(user), bare)),
    };
    if let Some(user) = user {
        // A password may stand behind the user.
        let user = user.split(':').next().unwrap_or("");
        let fix = format!("write ansible_host: {bare} and ansible_user: {user}");
        return Some(("a user stands before the address", fix));
    }
    if address.contains('/') {
        return Some(("a path or a network is no address", "write the name or the address of one host".into()));
    }
    if let Some((host, port)) = address.rsplit_once(':')
        && !is_ipv6(address)
    {
        let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let host = host.trim_start_matches('[').trim_end_matches(']');
        return Some(match is_port && (is_ipv6(host) || !host.contains(':')) {
            true => {
                ("a port stands behind the address", format!("write ansible_host: {host} and ansible_port: {port}"))
            }
            false => ("it has a colon and is no IPv6 address", "write a name, or an address without brackets".into()),
        });
    }
    let numbers: Vec<&str> = address.split('.').collect();
    let numeric = numbers.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let fits = numbers.len() <= 4 && (numbers.len() < 4 || numbers.iter().all(|part| part.parse::<u8>().is_ok()));
    (numeric && !fits).then(|| ("no IPv4 address", "write four numbers from 0 to 255 with points between them".into()))
}

// With the interface behind `%`, or without.
fn is_ipv6(text: &str) -> bool {
    text.split('%').next().unwrap_or("").parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_no_address_is_refused_with_what_was_meant() {
        for (address, fix) in [
            ("10.0.0.300", "from 0 to 255"),
            ("10.0.0.1.2", "from 0 to 255"),
            ("root@10.0.0.1", "ansible_host: 10.0.0.1 and ansible_user: root"),
            ("root:hunter2@web1", "ansible_host: web1 and ansible_user: root"),
            ("https://web1.example.org/x", "alone: web1.example.org"),
            ("ssh://root:hunter2@web1:22", "alone: web1:22"),
            ("10.0.0.0/24", "one host"),
            ("10.0.0.1:22", "ansible_host: 10.0.0.1 and ansible_port: 22"),
            ("[2001:db8::1]:22", "ansible_host: 2001:db8::1 and ansible_port: 22"),
            ("[2001:db8::1]", "without brackets"),
            ("2001:db8::zz", "without brackets"),
        ] {
            let (_, told) = refuse(address).unwrap_or_else(|| panic!("{address} is taken"));
            assert!(told.contains(fix) && !told.contains("hunter2"), "{address}: {told}");
        }
        for address in [
            "10.0.0.1",
            "10.1",
            "2001:db8::1",
            "fe80::1%eth0",
            "web1",
            "web-1.example.org",
            "bücher",
            "gw_1",
            "1.2.3.x",
        ] {
            assert_eq!(refuse(address), None, "{address}");
        }
    }
}
