//! A subnet of a network, in one form.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

/// A subnet with its gateway.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// The subnet: `ADDRESS/BITS`.
    pub subnet: String,
    /// The host's address in it. The first one, and not managed, unless said.
    #[serde(default)]
    pub gateway: Option<String>,
}

impl Subnet {
    /// Why it is none; docker itself would take what is not meant.
    pub fn check(&self) -> Result<(), String> {
        let bad = |what: &str, why: &str| Err(format!("`{}` {why}", what.escape_debug()));
        let Some((address, bits)) = network(&self.subnet) else { return bad(&self.subnet, "is no subnet") };
        if masked(address, bits) != Some(number(address)) {
            return bad(&self.subnet, "has bits set beyond its prefix");
        }
        let Some(gateway) = &self.gateway else { return Ok(()) };
        let inside = gateway.parse::<IpAddr>().is_ok_and(|it| {
            it.is_ipv6() == address.is_ipv6() && masked(it, bits) == Some(number(address)) && it != address
        });
        if inside { Ok(()) } else { bad(gateway, &format!("is no address in {}", self.subnet)) }
    }

    /// Whether it is of IPv6.
    pub fn is_ipv6(&self) -> bool {
        self.subnet.contains(':')
    }

    /// `SUBNET`, or `SUBNET via GATEWAY`.
    pub fn text(&self) -> String {
        match &self.gateway {
            Some(gateway) => format!("{} via {}", canonical(&self.subnet), address(gateway)),
            None => canonical(&self.subnet),
        }
    }

    /// The flags that make it.
    pub fn arguments(&self) -> Vec<String> {
        let subnet = format!("--subnet={}", canonical(&self.subnet));
        let gateway = self.gateway.as_ref().map(|gateway| format!("--gateway={}", address(gateway)));
        [subnet].into_iter().chain(gateway).collect()
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let plain = !bits.is_empty() && bits.len() <= 3 && bits.chars().all(|c| c.is_ascii_digit());
    let bits: u8 = bits.parse().ok().filter(|_| plain)?;
    // Docker needs room for a gateway and a container.
    (1..=if address.is_ipv6() { 126 } else { 30 }).contains(&bits).then_some((address, bits))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn masked(address: IpAddr, bits: u8) -> Option<u128> {
    let rest = if address.is_ipv6() { 128 } else { 32_u32 }.checked_sub(bits.into())?;
    Some(number(address).checked_shr(rest)?.checked_shl(rest).unwrap_or(0))
}

/// A subnet in its shortest form; what is none stays as it is.
pub fn canonical(text: &str) -> String {
    network(text).map_or_else(|| text.to_owned(), |(address, bits)| format!("{address}/{bits}"))
}

/// An address in its shortest form; what is none stays as it is.
pub fn address(text: &str) -> String {
    text.parse::<IpAddr>().map_or_else(|_| text.to_owned(), |address| address.to_string())
}
