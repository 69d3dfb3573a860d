//! Owns the real sshd's of `tests/ssh.rs`: a Debian root filesystem, made once and cached beside the lab's images, in
//! which each test starts an sshd of its own on a loopback address, with sudo, users and shells as they come.
//!
//! Must not be trusted as a boundary: it is a chroot with mounts of its own, on this machine's network.

// Each test program uses a part of it, and a fixture that cannot be set up has to panic.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

#[path = "../skipped/mod.rs"]
mod skipped;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rempart::secret::Rendered;
use rempart::transport::{
    Become, Output, ReadScript, Reader, SshTransport, Target, Transport, TransportError, WriteScript,
};

pub const PASSWORD: &str = "hunter2 with a space";

const USERS: [(&str, &str, &str); 9] = [
    ("bashy", "/bin/bash", "ALL=(ALL) NOPASSWD: ALL"),
    ("dashy", "/bin/dash", "ALL=(ALL) NOPASSWD: ALL"),
    ("zshy", "/usr/bin/zsh", "ALL=(ALL) NOPASSWD: ALL"),
    ("fishy", "/usr/bin/fish", "ALL=(ALL) NOPASSWD: ALL"),
    ("withpw", "/bin/bash", "ALL=(ALL) ALL"),
    ("ttyonly", "/bin/bash", "ALL=(ALL) NOPASSWD: ALL"),
    ("limited", "/bin/bash", "ALL=(ALL) NOPASSWD: /bin/true"),
    ("norights", "/bin/bash", ""),
    ("nologin", "/usr/sbin/nologin", ""),
];

pub struct Lab {
    pub root: PathBuf,
    pub keys: PathBuf,
}

/// The lab, or `None` with the reason on stderr where there is none.
pub fn lab() -> Option<&'static Lab> {
    static LAB: OnceLock<Result<Lab, String>> = OnceLock::new();
    match LAB.get_or_init(make) {
        Ok(lab) => Some(lab),
        Err(reason) => {
            skipped::skip("what needs a real sshd", reason);
            None
        }
    }
}

/// Says it even where the test runner swallows what a passing test prints.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn make() -> Result<Lab, String> {
    if !run("id", &["-u"]).is_ok_and(|uid| uid.trim() == "0") {
        return Err("real sshd's need root".to_owned());
    }
    // Beside the lab's images, so that a clean clone on the same machine finds it made.
    let cache = std::env::var_os("REMPART_LAB_CACHE").unwrap_or_else(|| "/var/cache/rempart/lab".into());
    let target = Path::new(&cache).join("ssh-tests");
    fs::create_dir_all(&target).map_err(|error| error.to_string())?;
    let lab = Lab { root: target.join("ssh-rootfs"), keys: target.join("ssh-rootfs-keys") };
    let lock = File::create(target.join("ssh-rootfs.lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if !lab.root.exists() {
        debootstrap(&lab.root)?;
    }
    let stamp = lab.root.join("etc/rempart-lab-2");
    if !stamp.exists() {
        furnish(&lab)?;
        fs::write(stamp, "").map_err(|error| error.to_string())?;
    }
    Ok(lab)
}

fn debootstrap(root: &Path) -> Result<(), String> {
    // The mirror is whatever this machine's own sources name for Debian.
    let sites = run("apt-get", &["indextargets", "--format", "$(SITE)", "Origin: Debian", "Codename: bookworm"])?;
    let mirror = sites.lines().next().ok_or("no Debian mirror in this machine's apt sources")?.to_owned();
    let part = root.with_extension("part");
    let _ = fs::remove_dir_all(&part);
    let part_text = part.to_string_lossy().into_owned();
    let include = "--include=openssh-server,sudo,zsh,fish,passwd";
    run("debootstrap", &["--variant=minbase", include, "bookworm", &part_text, &mirror])?;
    fs::rename(&part, root).map_err(|error| error.to_string())
}

fn furnish(lab: &Lab) -> Result<(), String> {
    let root = lab.root.to_string_lossy().into_owned();
    let text = |error: std::io::Error| error.to_string();
    let mut rules = String::from("Defaults:ttyonly requiretty\n");
    let mut passwords = String::new();
    for (user, shell, rule) in USERS {
        if !lab.root.join("home").join(user).exists() {
            run("chroot", &[&root, "useradd", "-m", "-s", shell, user])?;
        }
        passwords.push_str(&format!("{user}:{PASSWORD}\n"));
        if !rule.is_empty() {
            rules.push_str(&format!("{user} {rule}\n"));
        }
    }
    let mut chpasswd = Command::new("chroot").args([&root, "chpasswd"]).stdin(Stdio::piped()).spawn().map_err(text)?;
    chpasswd.stdin.take().ok_or("no stdin")?.write_all(passwords.as_bytes()).map_err(text)?;
    chpasswd.wait().map_err(text)?;
    fs::write(lab.root.join("etc/sudoers.d/rempart"), rules).map_err(text)?;
    fs::create_dir_all(lab.root.join("run/sshd")).map_err(text)?;
    fs::write(lab.root.join("etc/motd"), "a motd\n").map_err(text)?;
    let noise = "echo noise from bashrc; echo noise >&2\n";
    fs::write(lab.root.join("home/bashy/.bashrc"), noise).map_err(text)?;
    fs::write(lab.root.join("home/zshy/.zshenv"), noise).map_err(text)?;
    let _ = fs::remove_dir_all(&lab.keys);
    fs::create_dir_all(&lab.keys).map_err(text)?;
    let mut authorized = String::new();
    for (name, kind, more) in [
        ("ed25519", "ed25519", ["-N", "", "-C", "plain"]),
        ("rsa", "rsa", ["-N", "", "-C", "plain"]),
        ("ecdsa", "ecdsa", ["-N", "", "-C", "plain"]),
        ("locked", "ed25519", ["-N", "a passphrase", "-C", "locked"]),
        ("rsa_pem", "rsa", ["-N", "", "-m", "PEM"]),
        ("ecdsa_pkcs8", "ecdsa", ["-N", "", "-m", "PKCS8"]),
        ("held", "ed25519", ["-N", "", "-C", "held by the agent"]),
        ("stranger", "ed25519", ["-N", "", "-C", "nobody knows it"]),
    ] {
        let file = lab.keys.join(name).to_string_lossy().into_owned();
        run("ssh-keygen", &[&["-q", "-t", kind, "-f", &file], &more[..]].concat())?;
        if name != "stranger" {
            authorized.push_str(&fs::read_to_string(format!("{file}.pub")).map_err(text)?);
        }
    }
    fs::write(lab.root.join("etc/ssh/rempart_authorized"), authorized).map_err(text)?;
    for kind in ["ed25519", "rsa", "ecdsa"] {
        let file = lab.root.join(format!("etc/ssh/rempart_{kind}"));
        let _ = fs::remove_file(&file);
        run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-f", &file.to_string_lossy()])?;
    }
    Ok(())
}

pub fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// An sshd of its own, ended with the value.
pub struct Sshd {
    pub address: String,
    pub port: u16,
    pub folder: tempfile::TempDir,
    config: PathBuf,
    child: Child,
}

impl Sshd {
    /// Starts one with `more` at the head of its configuration.
    pub fn start(lab: &Lab, more: &str) -> Self {
        Self::start_as(lab, "/usr/sbin/sshd", more)
    }

    /// The same with another program in its place.
    pub fn start_as(lab: &Lab, program: &str, more: &str) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let address = format!("127.0.{}.{}", 60 + std::process::id() % 90, NEXT.fetch_add(1, Ordering::Relaxed));
        let port = TcpListener::bind((address.as_str(), 0)).unwrap().local_addr().unwrap().port();
        let name = format!("etc/ssh/rempart_{address}_{port}");
        let config = lab.root.join(&name);
        let keys = if more.contains("HostKey ") { "" } else { "HostKey /etc/ssh/rempart_ed25519\n" };
        let text = format!(
            "{more}\n{keys}ListenAddress {address}\nPort {port}\nUsePAM yes\nPidFile none\nLogLevel VERBOSE\n\
             AuthorizedKeysFile /etc/ssh/rempart_authorized\nPermitRootLogin yes\nPrintMotd yes\n"
        );
        fs::write(&config, text).unwrap();
        // Mounts in a namespace of their own go away with the sshd.
        let script = "mount --rbind /dev \"$0/dev\" && mount -t proc proc \"$0/proc\" && \
                      mount -t tmpfs tmpfs \"$0/run\" && mkdir -p \"$0/run/sshd\" && \
                      exec chroot \"$0\" \"$2\" -D -e -f \"$1\"";
        let mut child = Command::new("unshare")
            .args(["-m", "--propagation", "private", "sh", "-c", script])
            .arg(&lab.root)
            .arg(format!("/{name}"))
            .arg(program)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = log.by_ref().map_while(Result::ok).any(|line| line.contains("Server listening"));
        assert!(ready, "sshd did not start");
        std::thread::spawn(move || log.map_while(Result::ok).for_each(drop));
        let sshd = Self { address, port, folder: tempfile::tempdir().unwrap(), config, child };
        sshd.know(lab, "ed25519");
        sshd
    }

    /// Writes the host's key of type `kind` as the only known one.
    pub fn know(&self, lab: &Lab, kind: &str) {
        let key = fs::read_to_string(lab.root.join(format!("etc/ssh/rempart_{kind}.pub"))).unwrap();
        self.known(&format!("[{}]:{} {key}", self.address, self.port));
    }

    /// Writes the whole known_hosts file.
    pub fn known(&self, text: &str) {
        fs::write(self.folder.path().join("known"), text).unwrap();
    }

    /// The sshd processes that serve connections, one each.
    pub fn sessions(&self) -> Vec<String> {
        children(&self.child.id().to_string())
    }

    /// Waits until there are `count` of them: an sshd takes a moment to notice that a client has gone.
    pub fn settles_at(&self, count: usize) -> bool {
        let begun = std::time::Instant::now();
        while self.sessions().len() != count {
            if begun.elapsed() > Duration::from_secs(3) {
                tell(&format!("{} sessions, not {count}", self.sessions().len()));
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Kills the processes that serve connections, as a cut link does.
    pub fn cut(&self) {
        for pid in self.sessions() {
            // The monitor's child is the one that holds the socket.
            for pid in children(&pid).iter().chain([&pid]) {
                let _ = run("kill", &["-9", pid]);
            }
        }
    }

    /// Stops the processes that serve connections without ending them: a host that says nothing any more.
    pub fn freeze(&self) {
        for pid in self.sessions() {
            for pid in children(&pid).iter().chain([&pid]) {
                let _ = run("kill", &["-STOP", pid]);
            }
        }
    }

    /// How to log in here as `user` with the plain ed25519 key.
    pub fn target(&self, lab: &Lab, user: &str) -> Target {
        Target {
            port: Some(self.port),
            user: Some(user.to_owned()),
            identity_files: vec![lab.keys.join("ed25519")],
            escalate: Become::Sudo { password: None },
            known_hosts: vec![self.folder.path().join("known")],
            ssh_config: Some(PathBuf::new()),
            connect_timeout: Duration::from_secs(15),
            ..Target::bare("web", &self.address)
        }
    }

    /// Writes an ssh_config and gives its path.
    pub fn config(&self, text: &str) -> Option<PathBuf> {
        let file = self.folder.path().join("config");
        fs::write(&file, text).unwrap();
        Some(file)
    }
}

fn children(parent: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let after = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        if after.split(' ').nth(1) == Some(parent) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.cut();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.config);
    }
}

/// An ssh-agent of its own with `keys` in it.
pub struct Agent {
    pub socket: PathBuf,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Agent {
    pub fn with(lab: &Lab, keys: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let child = Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        while !socket.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        for key in keys {
            let added = Command::new("ssh-add").arg(lab.keys.join(key)).env("SSH_AUTH_SOCK", &socket).output();
            assert!(added.unwrap().status.success());
        }
        Self { socket, child, _folder: folder }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes `path` readable to its owner alone.
pub fn close(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub fn script(text: &str) -> ReadScript {
    ReadScript { text: text.to_owned(), root: true, timeout: Duration::from_secs(20) }
}

pub fn writing(text: &str, payloads: Vec<Rendered>) -> WriteScript {
    WriteScript { text: text.to_owned(), payloads, timeout: Duration::from_secs(20) }
}

pub fn reader(target: &Target) -> Result<Box<dyn Reader>, TransportError> {
    SshTransport::new().reader(target)
}

pub fn ask(target: &Target, text: &str) -> Result<Output, TransportError> {
    reader(target)?.ask(&script(text))
}

pub fn said(target: &Target, text: &str) -> String {
    String::from_utf8(ask(target, text).unwrap().stdout).unwrap()
}

/// The one line that an error is.
pub fn fault<T>(answer: Result<T, TransportError>) -> String {
    let Err(error) = answer else { panic!("no error") };
    let line = error.to_string();
    assert!(!line.contains('\n') && !line.chars().any(char::is_control), "{line:?}");
    tell(&format!("ERROR LINE: {line}"));
    line
}

pub fn key_only(lab: &Lab, sshd: &Sshd, user: &str, key: &str) -> Target {
    Target { identity_files: vec![lab.keys.join(key)], ..sshd.target(lab, user) }
}

pub fn nowhere(address: &str, port: u16) -> Target {
    Target {
        port: Some(port),
        user: Some("me".into()),
        known_hosts: vec!["/dev/null".into()],
        ssh_config: Some("".into()),
        connect_timeout: Duration::from_secs(1),
        ..Target::bare("gone", address)
    }
}
