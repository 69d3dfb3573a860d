//! Owns the small HTTP server of a lab: Debian's archive through a cache on disk, and the lab's own files.
//! Must not know hosts or images. It downloads with the machine's own apt client, in the namespace it was
//! started in; only its listening socket may belong to a lab.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tiny_http::{Method, Request, Response, Server, StatusCode};

use super::error::{LabError, Result, io};
use super::sources::Archives;
use super::state::{lock_file, make_dir};
use super::tool::{APT_HELPER, run};

/// Where the mirror listens on the controller's address of a lab.
pub(super) const PORT: u16 = 3142;

/// Indexes are asked for again after this long; what they name by hash never changes.
const INDEX_LIFETIME: Duration = Duration::from_secs(6 * 3600);

/// How many requests are answered at once.
const WORKERS: usize = 8;

/// Length below which tiny_http may send a body in one piece: apt shows progress only with a length.
const NEVER_CHUNKED: usize = usize::MAX;

/// What a mirror serves.
#[derive(Debug, Clone)]
pub(super) struct Mirror {
    pub(super) archives: Archives,
    /// Downloads are kept here, for every lab of the machine.
    pub(super) cache: PathBuf,
    /// Served under /files/.
    pub(super) files: Option<PathBuf>,
}

/// A mirror that answers on threads of this process, until it is dropped.
pub(super) struct Running {
    server: Arc<Server>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Running {
    /// Waits for the mirror's threads: for ever, unless its socket breaks.
    pub(super) fn wait(mut self) {
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for _ in &self.threads {
            self.server.unblock();
        }
    }
}

/// Why a path is not served.
enum Refusal {
    NotFound,
    Forbidden,
    Broken(String),
}

impl Mirror {
    /// Answers on a socket from now on.
    pub(super) fn start(self, listener: TcpListener) -> Result<Running> {
        let server = Server::from_listener(listener, None);
        let server = server.map_err(|error| LabError::Io {
            doing: "start the mirror".into(),
            source: std::io::Error::other(error.to_string()),
        })?;
        let server = Arc::new(server);
        let mirror = Arc::new(self);
        let threads = (0..WORKERS).map(|_| {
            let (server, mirror) = (Arc::clone(&server), Arc::clone(&mirror));
            std::thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    mirror.answer(request);
                }
            })
        });
        let threads = threads.collect();
        Ok(Running { server, threads })
    }

    fn answer(&self, request: Request) {
        let found = match request.method() {
            Method::Get | Method::Head => self.find(request.url()),
            _ => Err(Refusal::Forbidden),
        };
        let found = found.and_then(|path| {
            File::open(&path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Refusal::NotFound,
                _ => Refusal::Broken(error.to_string()),
            })
        });
        // A client that went away is no failure of the mirror.
        let _ = match found {
            Ok(file) => request.respond(Response::from_file(file).with_chunked_threshold(NEVER_CHUNKED)),
            Err(refusal) => {
                let (code, text) = match refusal {
                    Refusal::NotFound => (404, "not found\n".to_owned()),
                    Refusal::Forbidden => (403, "forbidden\n".to_owned()),
                    Refusal::Broken(why) => (502, why),
                };
                request.respond(Response::from_string(text).with_status_code(StatusCode(code)))
            }
        };
    }

    /// The file that answers a URL, downloaded first where it must be.
    fn find(&self, url: &str) -> std::result::Result<PathBuf, Refusal> {
        let path = decode(url).ok_or(Refusal::Forbidden)?;
        let (top, rest) = path.split_once('/').ok_or(Refusal::NotFound)?;
        match top {
            "debian" => self.cached("debian", &self.archives.main, rest),
            "debian-security" => match &self.archives.security {
                Some(archive) => self.cached("debian-security", archive, rest),
                None => Err(Refusal::NotFound),
            },
            "files" => self.own_file(rest),
            _ => Err(Refusal::NotFound),
        }
    }

    fn own_file(&self, path: &str) -> std::result::Result<PathBuf, Refusal> {
        let root = self.files.as_ref().ok_or(Refusal::NotFound)?;
        let wanted = root.join(path).canonicalize();
        let wanted = wanted.map_err(|_| Refusal::NotFound)?;
        let root = root.canonicalize().map_err(|_| Refusal::NotFound)?;
        if !wanted.starts_with(&root) {
            return Err(Refusal::Forbidden);
        }
        if wanted.is_file() { Ok(wanted) } else { Err(Refusal::NotFound) }
    }

    fn cached(&self, top: &str, archive: &str, path: &str) -> std::result::Result<PathBuf, Refusal> {
        let kept = self.cache.join(top).join(path);
        let immutable = path.starts_with("pool/") || path.contains("/by-hash/");
        if is_fresh(&kept, immutable) {
            return Ok(kept);
        }
        let broken = |error: LabError| Refusal::Broken(error.to_string());
        // Requests for one file wait for one download, also those of another lab's mirror. Files share
        // 256 locks, so that no lock has to be made and removed for each of them.
        let stripe = Sha256::digest(format!("{top}/{path}"))[0];
        let lock = lock_file(&self.cache.join(format!("locks/{stripe:02x}"))).map_err(broken)?;
        lock.lock().map_err(|error| Refusal::Broken(error.to_string()))?;
        if is_fresh(&kept, immutable) {
            return Ok(kept);
        }
        match download(&format!("{archive}/{path}"), &kept) {
            Ok(()) => Ok(kept),
            // apt-helper names the answer of the server in its error.
            Err(LabError::Tool { stderr, .. }) if stderr.contains("  404  ") => Err(Refusal::NotFound),
            // A machine that is offline now goes on with what it has: apt itself judges its age.
            Err(_) if kept.is_file() => Ok(kept),
            Err(error) => Err(broken(error)),
        }
    }
}

fn is_fresh(kept: &Path, immutable: bool) -> bool {
    let Ok(found) = fs::metadata(kept) else {
        return false;
    };
    let age = found.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
    found.is_file() && (immutable || age.is_some_and(|age| age < INDEX_LIFETIME))
}

/// Downloads to a file beside the wanted one and renames it: a killed download leaves no half file.
fn download(url: &str, kept: &Path) -> Result<()> {
    if let Some(parent) = kept.parent() {
        make_dir(parent)?;
    }
    let mut temporary = kept.to_path_buf().into_os_string();
    temporary.push(".part");
    let temporary = PathBuf::from(temporary);
    let _ = fs::remove_file(&temporary);
    let options = ["-q", "-o", "Acquire::Retries=2", "-o", "APT::Sandbox::User=root"];
    let target = temporary.to_string_lossy().into_owned();
    run(APT_HELPER, options.into_iter().chain(["download-file", url, &target]))?;
    // apt gives the file the age it has on the server; here its age is that of our copy.
    let file = io("open a download", File::options().append(true).open(&temporary))?;
    io("date a download", file.set_modified(SystemTime::now()))?;
    io("keep a download", fs::rename(&temporary, kept))
}

/// The path of a URL, decoded; `None` when it could leave its directory or is not plain.
fn decode(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?.trim_start_matches('/');
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+~:-@, =".contains(c);
    let inside = Path::new(&path).components().all(|part| matches!(part, Component::Normal(_)));
    (inside && path.chars().all(plain)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_url_cannot_leave_its_directory() {
        assert_eq!(decode("/debian/pool/g/g%2b%2b_1.deb?x").as_deref(), Some("debian/pool/g/g++_1.deb"));
        for bad in ["/../x", "/a/%2e%2e/b", "/a/%00", "/a/%zz", "/a\\..\\b", "/a/%0a"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_are_served_and_only_from_their_folder() {
        let dir = tempfile::tempdir().unwrap();
        let files = dir.path().join("served");
        fs::create_dir(&files).unwrap();
        fs::write(files.join("model.bin"), vec![7u8; 100_000]).unwrap();
        fs::write(dir.path().join("secret"), "no").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), files.join("link")).unwrap();
        let mirror = Mirror {
            archives: Archives { main: "http://127.0.0.1:9/debian".into(), security: None },
            cache: dir.path().join("cache"),
            files: Some(files),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let running = mirror.start(listener).unwrap();
        let get = |path: &str| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        };
        let model = get("/files/model.bin");
        assert!(model.starts_with("HTTP/1.1 200"), "{model}");
        assert!(model.contains("Content-Length: 100000"), "{}", &model[..200]);
        for (path, code) in [
            ("/files/link", "403"),
            ("/files/../secret", "403"),
            ("/files/none", "404"),
            ("/debian-security/x", "404"),
            ("/other/x", "404"),
            ("/debian/dists/none/InRelease", "502"),
        ] {
            let answer = get(path);
            assert!(answer.starts_with(&format!("HTTP/1.1 {code}")), "{path}: {answer}");
        }
        drop(running);
    }
}
