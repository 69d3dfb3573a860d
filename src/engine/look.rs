//! Owns the looks that this machine takes itself: TCP connections and HTTP requests over plain sockets and TLS.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use native_tls::TlsConnector;

use crate::resource::{Ask, Look, LookAnswer, PortState, is_whole};
use crate::secret::Rendered;

// Connections that one scan opens at a time.
const AT_ONCE: usize = 256;

/// Takes one look from here. It waits for the answer, at most as long as the look says.
pub fn take_from_controller(look: &Look) -> LookAnswer {
    match &look.ask {
        Ask::Ports { address, ports, timeout_ms } => scan(address, ports, Duration::from_millis(*timeout_ms)),
        Ask::Http { address, port, tls, request, timeout_ms, limit } => {
            let deadline = Instant::now() + Duration::from_millis(*timeout_ms);
            let stream = match connect(address, *port, deadline) {
                Ok(stream) => stream,
                Err(answer) => return answer,
            };
            let Some((name, verify)) = tls else { return exchange(stream, request, *limit, deadline) };
            let connector = TlsConnector::builder()
                .danger_accept_invalid_certs(!verify)
                .danger_accept_invalid_hostnames(!verify)
                .build();
            match connector.map(|connector| connector.connect(name, stream)) {
                Ok(Ok(stream)) => exchange(stream, request, *limit, deadline),
                Ok(Err(why)) => LookAnswer::NoAnswer(format!("TLS failed: {why}")),
                Err(why) => LookAnswer::Unknown(format!("TLS cannot be used here: {why}")),
            }
        }
    }
}

fn resolve(address: &str, port: u16) -> Result<Vec<SocketAddr>, LookAnswer> {
    let unknown = |why: String| LookAnswer::Unknown(format!("{address} has no address: {why}"));
    let found: Vec<SocketAddr> = (address, port).to_socket_addrs().map_err(|why| unknown(why.to_string()))?.collect();
    if found.is_empty() { Err(unknown("nothing was found".into())) } else { Ok(found) }
}

// What a failed connection tells. That this machine has no way there tells nothing about the far side.
fn judge(why: &std::io::Error) -> Result<PortState, String> {
    match why.kind() {
        ErrorKind::ConnectionRefused => Ok(PortState::Closed),
        ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::HostUnreachable | ErrorKind::PermissionDenied => {
            Ok(PortState::Filtered)
        }
        _ => Err(why.to_string()),
    }
}

fn scan(address: &str, ports: &[u16], timeout: Duration) -> LookAnswer {
    let addresses = match resolve(address, 0) {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let next = AtomicUsize::new(0);
    let found: Mutex<BTreeMap<u16, Result<PortState, String>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(ports.len()) {
            scope.spawn(|| {
                while let Some(port) = ports.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let state = knock(&addresses, *port, timeout);
                    found.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(*port, state);
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    match found.into_iter().map(|(port, state)| Ok((port, state?))).collect::<Result<_, String>>() {
        Ok(states) => LookAnswer::Ports(states),
        Err(why) => LookAnswer::Unknown(format!("{address} could not be tried: {why}")),
    }
}

fn knock(addresses: &[SocketAddr], port: u16, timeout: Duration) -> Result<PortState, String> {
    let mut last = Err("it has no address".to_owned());
    for address in addresses {
        last = match TcpStream::connect_timeout(&SocketAddr::new(address.ip(), port), timeout) {
            Ok(_) => return Ok(PortState::Open),
            Err(why) => judge(&why),
        };
    }
    last
}

fn connect(address: &str, port: u16, deadline: Instant) -> Result<TcpStream, LookAnswer> {
    let mut last = LookAnswer::Unknown(format!("{address} has no address"));
    for found in resolve(address, port)? {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&found, left) {
            Ok(stream) => {
                // Both ways, so that a TLS handshake cannot hang either.
                let bounded = stream.set_read_timeout(Some(left)).and(stream.set_write_timeout(Some(left)));
                bounded.map_err(|why| LookAnswer::Unknown(why.to_string()))?;
                return Ok(stream);
            }
            Err(why) => {
                last = match judge(&why) {
                    Ok(_) => LookAnswer::NoConnection(format!("{found}: {why}")),
                    Err(why) => LookAnswer::Unknown(format!("{found}: {why}")),
                }
            }
        }
    }
    Err(last)
}

fn exchange(mut stream: impl Read + Write, request: &Rendered, limit: usize, deadline: Instant) -> LookAnswer {
    if let Err(why) = request.send_to(&mut stream).and_then(|()| stream.flush()) {
        return LookAnswer::NoAnswer(format!("the request was not taken: {why}"));
    }
    // Whether an answer is whole depends on the method alone, which is no secret.
    let masked = request.masked();
    let shown_request = masked.as_bytes();
    let mut raw = Vec::new();
    let mut piece = [0; 16 * 1024];
    while raw.len() < limit && Instant::now() < deadline && !is_whole(shown_request, &raw) {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => raw.extend_from_slice(&piece[..count]),
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            // Too late, or cut: what came so far is what there is, and it shows that it is not whole.
            Err(_) => break,
        }
    }
    raw.truncate(limit);
    LookAnswer::Http(raw)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::resource::Vantage;

    fn http(port: u16, timeout_ms: u64) -> Look {
        let request = Rendered::plain("GET / HTTP/1.1\r\n\r\n");
        let address = "127.0.0.1".to_owned();
        Look {
            from: Vantage::Controller,
            ask: Ask::Http { address, port, tls: None, request, timeout_ms, limit: 9999 },
        }
    }

    fn serve(answer: &'static [u8], hold: Duration) -> u16 {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 18];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(answer).unwrap();
            std::thread::sleep(hold);
        });
        port
    }

    fn closed_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn a_whole_answer_does_not_wait_for_the_end_of_the_connection() {
        let raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let port = serve(raw, Duration::from_secs(5));
        let start = Instant::now();
        assert_eq!(take_from_controller(&http(port, 4000)), LookAnswer::Http(raw.to_vec()));
        assert!(start.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn a_slow_answer_is_cut_and_a_refusal_is_told() {
        let port = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", Duration::from_secs(3));
        let LookAnswer::Http(raw) = take_from_controller(&http(port, 300)) else { panic!() };
        assert!(raw.ends_with(b"9\r\n\r\n"));
        assert!(matches!(take_from_controller(&http(closed_port(), 300)), LookAnswer::NoConnection(_)));
    }

    #[test]
    fn ports_are_told_apart_and_a_name_without_address_is_unknown() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let (open, closed) = (server.local_addr().unwrap().port(), closed_port());
        let ask = |address: &str| Look {
            from: Vantage::Controller,
            ask: Ask::Ports { address: address.into(), ports: vec![open, closed], timeout_ms: 500 },
        };
        let states = BTreeMap::from([(open, PortState::Open), (closed, PortState::Closed)]);
        assert_eq!(take_from_controller(&ask("127.0.0.1")), LookAnswer::Ports(states));
        assert!(matches!(take_from_controller(&ask("nosuch.invalid")), LookAnswer::Unknown(_)));
    }
}
