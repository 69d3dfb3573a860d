//! Owns what makes an overlay one particular host: names, address, keys, account, apt sources.
//! Must not know how the host is booted, and installs nothing.

use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};

use super::cgroups::Layout;
use super::error::{LabError, Result, io};
use super::mirror::PORT;
use super::state::{HostDir, make_dir, mounts_below, unmount_below};
use super::tool::{run, run_with_input};
use super::{LabHost, LabSpec, Sudo};

/// Directories in which Docker keeps layers: on the machine's own filesystem, because an overlay cannot lie
/// on an overlay. Names in the host's directory, and where the host sees them.
pub(super) const DOCKER_DIRECTORIES: [(&str, &str); 2] =
    [("docker", "/var/lib/docker"), ("containerd", "/var/lib/containerd")];

/// Mounts the host's overlay; one that is mounted stays.
///
/// # Errors
/// [`LabError::NoOverlay`] when the kernel refuses.
pub(super) fn mount_overlay(dir: &HostDir, image: &Path) -> Result<()> {
    let root = dir.root();
    if mounts_below(&root).contains(&root) {
        return Ok(());
    }
    make_dir(&root)?;
    make_dir(&dir.work())?;
    if !dir.upper().exists() {
        // The upper directory's mode is that of the host's `/`.
        let made = fs::DirBuilder::new().mode(0o755).create(dir.upper());
        io(format!("make {}", dir.upper().display()), made)?;
        let open = fs::set_permissions(dir.upper(), Permissions::from_mode(0o755));
        io(format!("open {}", dir.upper().display()), open)?;
    }
    let options =
        format!("lowerdir={},upperdir={},workdir={}", image.display(), dir.upper().display(), dir.work().display());
    let refused = |why: String| LabError::NoOverlay { path: root.clone(), why };
    // These separate the options of an overlay; it has no usable way to quote them.
    if options.matches([',', ':', '\\']).count() > 2 {
        return Err(refused("its path or the cache's holds `,`, `:` or `\\`".into()));
    }
    let options = std::ffi::CString::new(options).map_err(|error| refused(error.to_string()))?;
    mount("overlay", &root, "overlay", MountFlags::empty(), options.as_c_str())
        .map_err(|error| refused(error.to_string()))
}

/// Makes the overlay of a host from nothing: what a half-made one holds is thrown away.
pub(super) fn prepare(dir: &HostDir, image: &Path, spec: &LabSpec, host: &LabHost) -> Result<()> {
    unmount_below(&dir.0)?;
    if dir.0.exists() {
        io(format!("remove {}", dir.0.display()), fs::remove_dir_all(&dir.0))?;
    }
    make_dir(&dir.0)?;
    mount_overlay(dir, image)?;
    let files = Files(dir.root());
    names(&files, spec, host)?;
    network(&files, host)?;
    apt(&files, spec, host)?;
    run("ssh-keygen", ["-q".as_ref(), "-A".as_ref(), "-f".as_ref(), files.0.as_os_str()])?;
    if host.port != 22 {
        let path = "etc/ssh/sshd_config";
        let text = files.read(path)?.replace("#Port 22\n", &format!("Port {}\n", host.port));
        files.write(path, &text, 0o644)?;
    }
    account(&files, host)?;
    if host.docker {
        docker(dir, &files)?;
    }
    io("mark the host as made", fs::write(dir.prepared(), ""))
}

fn names(files: &Files, spec: &LabSpec, host: &LabHost) -> Result<()> {
    files.write("etc/hostname", &format!("{}\n", host.hostname()), 0o644)?;
    let mut hosts = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for other in &spec.hosts {
        hosts.push_str(&format!("{}\t{}", other.address, other.hostname()));
        if other.hostname() != other.name {
            hosts.push_str(&format!(" {}", other.name));
        }
        hosts.push('\n');
    }
    files.write("etc/hosts", &hosts, 0o644)?;
    let id = io("read a random id", fs::read_to_string("/proc/sys/kernel/random/uuid"))?;
    files.write("etc/machine-id", &id.replace('-', ""), 0o444)
}

/// Every address is on the link: hosts of any networks reach one another through the one bridge.
fn network(files: &Files, host: &LabHost) -> Result<()> {
    let text = format!(
        "[Match]\nName=host0\n\n[Network]\nAddress={}/32\n\n[Route]\nDestination=0.0.0.0/0\nScope=link\n",
        host.address
    );
    files.write("etc/systemd/network/10-lab.network", &text, 0o644)
}

/// Debian's signatures are checked as anywhere: the lab's mirror only passes bytes on.
fn apt(files: &Files, spec: &LabSpec, host: &LabHost) -> Result<()> {
    let (release, top) = (&host.release, mirror_url(spec.controller));
    let mut text = format!("deb {top}/debian {release} main\n");
    if release != "sid" {
        text.push_str(&format!("deb {top}/debian {release}-updates main\n"));
        if super::sources::archives()?.security.is_some() {
            text.push_str(&format!("deb {top}/debian-security {release}-security main\n"));
        }
    }
    files.write("etc/apt/sources.list", &text, 0o644)?;
    // The first download of a big package reaches the host only once the mirror has all of it.
    files.write("etc/apt/apt.conf.d/90lab", "Acquire::http::Timeout \"300\";\n", 0o644)
}

/// The address of the lab's mirror, as hosts write it; no trailing slash.
pub(super) fn mirror_url(controller: Ipv4Addr) -> String {
    format!("http://{controller}:{PORT}")
}

fn account(files: &Files, host: &LabHost) -> Result<()> {
    let user = &host.user;
    if user != "root" {
        let words = ["useradd", "--create-home", "--shell", "/bin/bash", user.as_str()];
        files.chroot(&words, &[])?;
    }
    match &host.sudo {
        Sudo::None => {}
        Sudo::NoPassword => {
            let line = format!("{user} ALL=(ALL:ALL) NOPASSWD: ALL\n");
            files.write(&format!("etc/sudoers.d/90-{user}"), &line, 0o440)?;
        }
        Sudo::Password(password) => {
            files.chroot(&["chpasswd"], format!("{user}:{password}\n").as_bytes())?;
            let line = format!("{user} ALL=(ALL:ALL) ALL\n");
            files.write(&format!("etc/sudoers.d/90-{user}"), &line, 0o440)?;
        }
    }
    let home = if user == "root" { "root".to_owned() } else { format!("home/{user}") };
    let folder = files.0.join(&home).join(".ssh");
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    io(format!("make {}", folder.display()), made)?;
    let keys = format!("{home}/.ssh/authorized_keys");
    files.write(&keys, &format!("{}\n", host.public_key.trim()), 0o600)?;
    if user != "root" {
        files.chroot(&["chown", "-R", &format!("{user}:"), &format!("/{home}/.ssh")], &[])?;
    }
    Ok(())
}

/// Opens the control groups for a Docker that is installed later; its own configuration is not touched.
fn docker(dir: &HostDir, files: &Files) -> Result<()> {
    for (name, _) in DOCKER_DIRECTORIES {
        let made = fs::DirBuilder::new().mode(0o711).create(dir.bound(name));
        io(format!("make {}", dir.bound(name).display()), made)?;
    }
    let layout = Layout::of_machine();
    if layout.unified(true) == Some("1") {
        return Ok(()); // nspawn gives the host its part of the unified hierarchy writable
    }
    let mut unit = String::from(
        "[Unit]\nDescription=Lab: control groups that Docker may write\nDefaultDependencies=no\n\
         After=local-fs.target\nBefore=sysinit.target docker.service containerd.service\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/mount -o remount,rw /sys/fs/cgroup\n",
    );
    for controllers in layout.legacy_controllers() {
        unit.push_str(&format!("ExecStart=/bin/mount -o remount,rw,bind /sys/fs/cgroup/{controllers}\n"));
    }
    unit.push_str("\n[Install]\nWantedBy=sysinit.target\n");
    files.write("etc/systemd/system/lab-cgroups.service", &unit, 0o644)?;
    let wants = files.0.join("etc/systemd/system/sysinit.target.wants");
    io(format!("make {}", wants.display()), fs::create_dir_all(&wants))?;
    let linked = symlink("/etc/systemd/system/lab-cgroups.service", wants.join("lab-cgroups.service"));
    io("enable lab-cgroups.service", linked)
}

/// The lines of known_hosts for one host: all its keys, under its name and its address.
pub(super) fn known_hosts_lines(dir: &HostDir, host: &LabHost) -> Result<String> {
    // The upper directory, since the overlay of a powered-off host is not mounted.
    let folder = dir.upper().join("etc/ssh");
    let entries = io(format!("read {}", folder.display()), fs::read_dir(&folder))?;
    let mut keys: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    keys.retain(|path| path.extension().is_some_and(|extension| extension == "pub"));
    keys.sort();
    let names = [host.name.clone(), host.address.to_string()].map(|name| match host.port {
        22 => name,
        port => format!("[{name}]:{port}"),
    });
    let mut lines = String::new();
    for key in keys {
        let text = io(format!("read {}", key.display()), fs::read_to_string(&key))?;
        let words: Vec<&str> = text.split_whitespace().take(2).collect();
        lines.push_str(&format!("{} {}\n", names.join(","), words.join(" ")));
    }
    Ok(lines)
}

/// The files of a host that is not running.
struct Files(PathBuf);

impl Files {
    fn read(&self, path: &str) -> Result<String> {
        let path = self.0.join(path);
        io(format!("read {}", path.display()), fs::read_to_string(&path))
    }

    fn write(&self, path: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.0.join(path);
        io(format!("write {}", path.display()), fs::write(&path, text))?;
        let set = fs::set_permissions(&path, Permissions::from_mode(mode));
        io(format!("set the mode of {}", path.display()), set)
    }

    /// Runs a program of the host's own release.
    fn chroot(&self, words: &[&str], input: &[u8]) -> Result<String> {
        let words = words.iter().map(|word| (*word).as_ref());
        run_with_input("chroot", std::iter::once(self.0.as_os_str()).chain(words), input)
    }
}
