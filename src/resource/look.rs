//! Owns looks from elsewhere: what a check asks over the network, from where, and what came back.

use std::collections::BTreeMap;

use super::{Context, Fault};
use crate::model::HostName;
use crate::secret::Rendered;

/// One question over the network, asked from somewhere.
#[derive(Clone, Debug)]
pub struct Look {
    /// From where.
    pub from: Vantage,
    /// What.
    pub ask: Ask,
}

/// Where a look is taken from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vantage {
    /// The machine that runs rempart.
    Controller,
    /// A host of the inventory.
    Host(HostName),
}

impl Vantage {
    /// The places that `from` names: `controller`, `self` (the resource's own host), or a pattern of hosts.
    ///
    /// # Errors
    /// The pattern matches nothing.
    pub fn named(from: &str, context: &Context<'_>) -> Result<Vec<Vantage>, Fault> {
        match from {
            "controller" => Ok(vec![Vantage::Controller]),
            "self" => Ok(vec![Vantage::Host(context.host.clone())]),
            pattern => {
                let found = (context.select)(pattern).map_err(|why| {
                    Fault::new("from", why).fix("name `controller`, `self`, or hosts of the inventory")
                })?;
                Ok(found.into_iter().map(|(host, _)| Vantage::Host(host)).collect())
            }
        }
    }

    /// The name of a field as seen from here: with the host's name behind it where there are several places.
    pub fn field(&self, name: &str, among: usize) -> String {
        match self {
            Vantage::Host(host) if among > 1 => format!("{name}.{host}"),
            _ => name.to_owned(),
        }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Which of these TCP ports take a connection.
    Ports {
        /// Address or name to connect to.
        address: String,
        /// The ports.
        ports: Vec<u16>,
        /// How long one connection may take, in milliseconds.
        timeout_ms: u64,
    },
    /// One HTTP request.
    Http {
        /// Where to connect to: the proxy if there is one, else the URL's host.
        address: String,
        /// The port to connect to.
        port: u16,
        /// Whether TLS is spoken; `None` is plain HTTP, else the name to verify, and whether the certificate counts.
        tls: Option<(String, bool)>,
        /// The request, byte for byte.
        request: Rendered,
        /// How long the whole may take, in milliseconds.
        timeout_ms: u64,
        /// At most this many bytes of the answer are read.
        limit: usize,
    },
}

/// How a port answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortState {
    /// It took the connection.
    Open,
    /// It refused.
    Closed,
    /// Nothing came back in time.
    Filtered,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookAnswer {
    /// How each port answered.
    Ports(BTreeMap<u16, PortState>),
    /// The raw answer to an HTTP request, as far as it came in time; empty when the far side said nothing.
    Http(Vec<u8>),
    /// The far side took the connection, but nothing could be asked there, such as TLS with a bad certificate.
    NoAnswer(String),
    /// The far side could not be connected to, which may be what is wanted.
    NoConnection(String),
    /// The look could not be taken: no access to the vantage, no tool. Never a pass.
    Unknown(String),
}
