//! Owns HTTP/1.1 as far as looks need it: a request as bytes, and a raw answer taken apart.

use std::collections::BTreeMap;

use super::Ask;
use crate::secret::{Piece, Rendered};

/// Where a request goes, taken from a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether TLS is spoken.
    pub https: bool,
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// Port, 80 or 443 unless said.
    pub port: u16,
    /// Path and query.
    pub target: String,
}

impl Url {
    /// Reads `http://host[:port][/path][?query]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Url, String> {
        let (https, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err("it begins neither with http:// nor with https://".into()),
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['"', '<', '>', '\\', '^', '`', '{', '}'])
        {
            return Err("it holds a space or a character that must be written as %XX".into());
        }
        if rest.contains('#') {
            return Err("a fragment (`#...`) is never sent".into());
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("a name or password has no place in it; use the header Authorization".into());
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let fine = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
        if host.is_empty() || host.starts_with('-') || !host.chars().all(fine) {
            return Err("it names no host".into());
        }
        let port = match port {
            None => {
                if https {
                    443
                } else {
                    80
                }
            }
            Some(port) => port.parse().map_err(|_| format!("`{port}` is no port"))?,
        };
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Url { https, host: host.to_owned(), port, target })
    }

    /// Whether it stays on the machine that asks.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self
                .host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback() || address.is_unspecified())
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.https { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }
}

/// One HTTP request, to be asked as a look.
#[derive(Clone, Debug)]
pub struct HttpRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Where it goes.
    pub url: &'a Url,
    /// Headers besides Host and Connection; a Host among them is sent in the place of the URL's.
    pub headers: &'a BTreeMap<String, Rendered>,
    /// What is sent.
    pub body: Option<&'a Rendered>,
    /// The proxy to go through. For https it is asked to CONNECT, and its answer to that is the answer.
    pub proxy: Option<&'a Url>,
    /// Whether the certificate must be good.
    pub verify_tls: bool,
    /// How long the whole may take, in milliseconds.
    pub timeout_ms: u64,
}

/// At most this much of an answer is read, in bytes.
const LIMIT: usize = 256 * 1024;

impl HttpRequest<'_> {
    /// The look's question.
    pub fn ask(&self) -> Ask {
        let url = self.url;
        let tunnel = self.proxy.is_some() && url.https;
        let full = format!("{}:{}", url.authority().trim_end_matches(&format!(":{}", url.port)), url.port);
        let mut text = match (tunnel, self.proxy) {
            (true, _) => format!("CONNECT {full} HTTP/1.1\r\n"),
            (_, Some(_)) => format!("{} http://{}{} HTTP/1.1\r\n", self.method, url.authority(), url.target),
            _ => format!("{} {} HTTP/1.1\r\n", self.method, url.target),
        };
        if !self.headers.keys().any(|name| name.eq_ignore_ascii_case("host")) {
            text.push_str(&format!("Host: {}\r\n", if tunnel { full } else { url.authority() }));
        }
        text.push_str("Connection: close\r\nUser-Agent: rempart\r\nAccept: */*\r\n");
        let mut pieces = vec![Piece::Plain(text)];
        for (name, value) in self.headers {
            pieces.push(Piece::Plain(format!("{name}: ")));
            pieces.extend(value.pieces().iter().cloned());
            pieces.push(Piece::Plain("\r\n".into()));
        }
        if let (Some(body), false) = (self.body, tunnel) {
            pieces.push(Piece::Plain(format!("Content-Length: {}\r\n\r\n", body.len())));
            pieces.extend(body.pieces().iter().cloned());
        } else {
            pieces.push(Piece::Plain("\r\n".into()));
        }
        let to = self.proxy.unwrap_or(url);
        Ask::Http {
            address: to.host.clone(),
            port: to.port,
            tls: (url.https && !tunnel).then(|| (url.host.clone(), self.verify_tls)),
            request: Rendered::from_pieces(pieces),
            timeout_ms: self.timeout_ms,
            limit: LIMIT,
        }
    }
}

/// An answer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status: 200, 404, ...
    pub status: u16,
    /// Names as sent, and values.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// Whether all of it is there.
    pub whole: bool,
}

impl HttpAnswer {
    /// Takes a raw answer apart; interim answers (1xx) are passed over.
    ///
    /// # Errors
    /// Why it is no HTTP answer, or where it was cut short.
    pub fn read(mut raw: &[u8]) -> Result<HttpAnswer, String> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 128];
            let mut response = httparse::Response::new(&mut headers);
            let at = match response.parse(raw) {
                Ok(httparse::Status::Complete(at)) => at,
                Ok(httparse::Status::Partial) if raw.is_empty() => return Err("nothing came back".into()),
                Ok(httparse::Status::Partial) => return Err("the answer was cut short".into()),
                Err(why) => return Err(format!("the answer is no HTTP: {why}")),
            };
            let status = response.code.unwrap_or_default();
            let headers: Vec<(String, String)> = response
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
                .collect();
            raw = &raw[at..];
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let mut answer = HttpAnswer { status, headers, body: raw.to_vec(), whole: true };
            if answer.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
                (answer.body, answer.whole) = dechunk(raw);
            } else if let Some(length) = answer.header("content-length").and_then(|value| value.trim().parse().ok()) {
                answer.whole = raw.len() >= length;
                answer.body.truncate(length);
            }
            return Ok(answer);
        }
    }

    /// The first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Whether an answer is there as a whole, so that nobody waits for a far side that keeps the connection, as a proxy
/// does after CONNECT. An answer that ends with the connection is not told from one that goes on.
pub fn is_whole(request: &[u8], raw: &[u8]) -> bool {
    let Ok(answer) = HttpAnswer::read(raw) else { return false };
    let bodiless =
        request.starts_with(b"HEAD ") || request.starts_with(b"CONNECT ") || matches!(answer.status, 204 | 304);
    let bounded = answer.header("content-length").is_some() || answer.header("transfer-encoding").is_some();
    bodiless || (bounded && answer.whole)
}

// The data of a chunked body, and whether its end was seen.
fn dechunk(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        match httparse::parse_chunk_size(raw) {
            Ok(httparse::Status::Complete((_, 0))) => return (body, true),
            Ok(httparse::Status::Complete((at, size))) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                let end = at.saturating_add(size).min(raw.len());
                body.extend_from_slice(&raw[at..end]);
                raw = raw.get(end.saturating_add(2)..).unwrap_or_default();
            }
            _ => return (body, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(url: &str, proxy: Option<&str>) -> String {
        let url = Url::read(url).unwrap();
        let proxy = proxy.map(|proxy| Url::read(proxy).unwrap());
        let headers = BTreeMap::from([("X-A".to_owned(), Rendered::plain("b"))]);
        let (method, proxy) = ("GET", proxy.as_ref());
        let request =
            HttpRequest { method, url: &url, headers: &headers, body: None, proxy, verify_tls: true, timeout_ms: 1 };
        let Ask::Http { request, .. } = request.ask() else { panic!() };
        request.as_plain().unwrap()
    }

    #[test]
    fn requests_have_the_form_that_their_way_wants() {
        assert_eq!(
            text_of("http://[2001:db8::1]:8080?q=1", None),
            "GET /?q=1 HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\nConnection: close\r\nUser-Agent: rempart\r\n\
             Accept: */*\r\nX-A: b\r\n\r\n"
        );
        let proxy = Some("http://proxy:3128");
        assert!(
            text_of("http://ollama.com/x", proxy)
                .starts_with("GET http://ollama.com/x HTTP/1.1\r\nHost: ollama.com\r\n")
        );
        assert!(
            text_of("https://ollama.com/x", proxy)
                .starts_with("CONNECT ollama.com:443 HTTP/1.1\r\nHost: ollama.com:443\r\n")
        );
        assert!(text_of("https://ollama.com:22/", proxy).starts_with("CONNECT ollama.com:22 HTTP/1.1\r\n"));
    }

    #[test]
    fn hostile_urls_are_refused() {
        for bad in [
            "ftp://x/",
            "http://",
            "http://a b/",
            "http://x/\r\nEvil: 1",
            "http://u:p@x/",
            "http://x:99999/",
            "http://-x/",
            "http://x/#f",
            "http://x/$`id`",
            "http://x y",
        ] {
            assert!(Url::read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn answers_are_taken_apart() {
        let chunked = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
        let answer = HttpAnswer::read(chunked).unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), answer.whole), (200, b"hello world".as_slice(), true));
        assert!(!HttpAnswer::read(&chunked[..chunked.len() - 20]).unwrap().whole);
        assert!(HttpAnswer::read(b"SSH-2.0-OpenSSH_9.2p1\r\n").is_err() && HttpAnswer::read(b"").is_err());
        assert!(HttpAnswer::read(b"HTTP/1.1 200 O").is_err());
        assert!(is_whole(b"CONNECT a:1 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 established\r\n\r\n"));
        assert!(!is_whole(b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nmay go on"));
    }
}
