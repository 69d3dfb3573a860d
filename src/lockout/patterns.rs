//! Owns the patterns of OpenSSH: names with `*` and `?`, addresses with a prefix length, and lists of them.

use std::net::IpAddr;

use crate::resource::glob;

/// Whether a comma-separated list of hosts and networks takes an address; `None` = it names hosts, which only the
/// host's resolver could tell. One that is excluded by `!` is out, whatever else fits.
pub(super) fn takes_address(list: &str, address: IpAddr) -> Option<bool> {
    let (mut taken, mut unknown) = (false, false);
    for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (excluded, entry) = entry.strip_prefix('!').map_or((false, entry), |entry| (true, entry));
        match fits(entry, address) {
            Some(true) if excluded => return Some(false),
            Some(fits) => taken |= fits,
            None => unknown = true,
        }
    }
    if unknown { None } else { Some(taken) }
}

fn fits(entry: &str, address: IpAddr) -> Option<bool> {
    if let Some((network, length)) = entry.split_once('/') {
        let network: IpAddr = network.parse().ok()?;
        return within(network, length.parse().ok()?, address);
    }
    if let Ok(one) = entry.parse::<IpAddr>() {
        return Some(one.to_canonical() == address.to_canonical());
    }
    if glob(entry, &address.to_string()) {
        return Some(true);
    }
    // A pattern made of what addresses are made of is no name.
    entry.chars().all(|c| c.is_ascii_hexdigit() || ".:*?".contains(c)).then_some(false)
}

fn within(network: IpAddr, length: u32, address: IpAddr) -> Option<bool> {
    let (network, address) = (network.to_canonical(), address.to_canonical());
    let (network, address, most) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()) << 96, u128::from(address.to_bits()) << 96, 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return Some(false),
    };
    if length > most {
        return None;
    }
    let differing = (network ^ address).checked_shr(128 - length).unwrap_or(0);
    Some(differing == 0)
}

/// Whether an entry of AllowUsers or DenyUsers means this login; `None` = it depends on a host name.
pub(super) fn means_user(entry: &str, user: &str, address: IpAddr) -> Option<bool> {
    match entry.split_once('@') {
        None => Some(glob(entry, user)),
        Some((name, _)) if !glob(name, user) => Some(false),
        Some((_, hosts)) => takes_address(hosts, address),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_of_addresses() {
        let from = |text: &str| text.parse::<IpAddr>().unwrap();
        for (list, address, expected) in [
            ("192.0.2.0/24", "192.0.2.7", Some(true)),
            ("192.0.2.0/24", "192.0.3.7", Some(false)),
            ("192.0.2.*", "192.0.2.7", Some(true)),
            ("192.0.2.*,!192.0.2.7", "192.0.2.7", Some(false)),
            ("2001:db8::/32", "2001:db8::1", Some(true)),
            ("2001:db8::/32", "192.0.2.7", Some(false)),
            ("::ffff:192.0.2.7", "192.0.2.7", Some(true)),
            ("bastion.example", "192.0.2.7", None),
            ("*", "192.0.2.7", Some(true)),
            ("192.0.2.0/64", "192.0.2.7", None),
            ("", "192.0.2.7", Some(false)),
        ] {
            assert_eq!(takes_address(list, from(address)), expected, "{list} {address}");
        }
        assert_eq!(means_user("adm*@192.0.2.0/24", "admin", from("192.0.2.7")), Some(true));
        assert_eq!(means_user("adm*@192.0.2.0/24", "root", from("192.0.2.7")), Some(false));
        assert_eq!(means_user("admin", "admin", from("::1")), Some(true));
    }

    proptest! {
        #[test]
        fn nothing_panics(pattern in "[*?a-f0-9:./!,@%]{0,40}", text in "[a-f0-9:.]{0,40}") {
            glob(&pattern, &text);
            takes_address(&pattern, "192.0.2.1".parse().unwrap());
            means_user(&pattern, &text, "2001:db8::1".parse().unwrap());
        }
    }
}
