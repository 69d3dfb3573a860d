//! Owns the base images: what a bare Debian server has, made once per release by debootstrap and cached.
//! Must not know hosts: an image holds no key, no name, no address.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::{LabError, Result, io};
use super::mirror::Mirror;
use super::sources::archives;
use super::state::{cache_root, lock_file, make_dir, unmount_below};
use super::tool::{run, tail};

/// Raised whenever what is done after debootstrap changes.
const RECIPE: u32 = 1;

/// What a server has before anyone configures it, and nothing that a playbook would install.
const PACKAGES: &str = "systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,sudo,iproute2,iputils-ping,procps,\
                        kmod,less,ca-certificates";

/// From trixie on, the usual sysctl values of a server (unprivileged ping, for one) are a package of their own.
fn packages(release: &str) -> String {
    match release {
        "bullseye" | "bookworm" => PACKAGES.to_owned(),
        _ => format!("{PACKAGES},linux-sysctl-defaults"),
    }
}

/// A finished image.
pub(super) struct Image {
    /// The lower layer of the hosts' overlays.
    pub(super) root: PathBuf,
}

/// What happens while an image is got.
pub(super) enum Progress {
    /// Another process builds this image: its end is waited for.
    Waiting,
    /// It is built now.
    Building,
}

/// The image of a release, built when it is not there yet. Images of its former recipes go then, unless
/// `in_use` says of their directory that a host stands on it.
///
/// # Errors
/// [`LabError::UnknownRelease`], [`LabError::ImageBuild`] with the end of debootstrap's log.
pub(super) fn get(release: &str, progress: &mut dyn FnMut(Progress), in_use: &dyn Fn(&Path) -> bool) -> Result<Image> {
    check(release)?;
    let images = cache_root().join("images");
    let name = format!("{release}-{}", recipe_hash(release));
    let done = images.join(&name);
    let image = Image { root: done.join("root") };
    if done.is_dir() {
        return Ok(image);
    }
    let lock = lock_file(&images.join(format!("{name}.lock")))?;
    if lock.try_lock().is_err() {
        progress(Progress::Waiting);
        io(format!("lock the image {name}"), lock.lock())?;
    }
    if done.is_dir() {
        return Ok(image);
    }
    progress(Progress::Building);
    // Only the holder of the lock builds: what is there under this name is of a build that was killed. Its
    // debootstrap may still be running, so the new one gets a path of its own.
    remove_partial(&images, &name)?;
    let partial = images.join(format!("{name}.partial-{}", std::process::id()));
    make_dir(&partial)?;
    build(release, &partial)?;
    unmount_below(&partial)?;
    let kept = fs::rename(&partial, &done);
    io(format!("keep the image {name}"), kept)?;
    remove_former(&images, release, &name, in_use)?;
    Ok(image)
}

fn remove_partial(images: &Path, name: &str) -> Result<()> {
    let entries = io("read the images", fs::read_dir(images))?;
    for entry in entries.flatten() {
        let other = entry.file_name().to_string_lossy().into_owned();
        if other.starts_with(&format!("{name}.partial")) {
            let path = entry.path();
            unmount_below(&path)?; // debootstrap mounts /proc in there
            let removed = fs::remove_dir_all(&path);
            io(format!("remove {}", path.display()), removed)?;
        }
    }
    Ok(())
}

fn remove_former(images: &Path, release: &str, name: &str, in_use: &dyn Fn(&Path) -> bool) -> Result<()> {
    let entries = io("read the images", fs::read_dir(images))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let other = entry.file_name().to_string_lossy().into_owned();
        let former = other.starts_with(&format!("{release}-")) && other != name;
        if former && !other.contains('.') && path.is_dir() && !in_use(&path) {
            io(format!("remove {}", path.display()), fs::remove_dir_all(&path))?;
        }
    }
    Ok(())
}

/// Refuses a release that debootstrap does not know, before anything is made.
pub(super) fn check(release: &str) -> Result<()> {
    let plain = !release.is_empty() && release.chars().all(|c| c.is_ascii_lowercase());
    if plain && Path::new("/usr/share/debootstrap/scripts").join(release).exists() {
        return Ok(());
    }
    Err(LabError::UnknownRelease(release.to_owned()))
}

fn recipe_hash(release: &str) -> String {
    let digest = Sha256::digest(format!("{RECIPE}\n{release}\n{}", packages(release)));
    digest[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn build(release: &str, directory: &Path) -> Result<()> {
    let root = directory.join("root");
    let log = directory.join("build.log");
    let listener = io("listen on a loopback port", TcpListener::bind("127.0.0.1:0"))?;
    let address = io("name a loopback port", listener.local_addr())?;
    // Through the lab's own mirror: the packages are in the cache for the next image, and the machine's
    // apt settings (proxy, https) hold, which debootstrap does not read.
    let mirror = Mirror { archives: archives()?, cache: cache_root().join("mirror"), files: None };
    let running = mirror.start(listener)?;
    let include = format!("--include={}", packages(release));
    let target = root.display().to_string();
    let url = format!("http://{address}/debian");
    let words = ["--variant=minbase", &include, release, &target, &url];
    let outcome = run("debootstrap", words);
    drop(running);
    let said = match &outcome {
        Ok(said) => said.clone(),
        Err(error) => format!("{error}\n{}", tail(&root.join("debootstrap/debootstrap.log"), 20)),
    };
    io("write the build log", fs::write(&log, said))?;
    if outcome.is_err() {
        return Err(LabError::ImageBuild { release: release.to_owned(), tail: tail(&log, 25), log });
    }
    finish(&root)
}

/// Takes out what must be each host's own, and what debootstrap left.
fn finish(root: &Path) -> Result<()> {
    run("chroot", [root.as_os_str(), "systemctl".as_ref(), "enable".as_ref(), "systemd-networkd".as_ref()])?;
    // networkd-wait-online would hold up boots for links that a playbook adds later.
    run(
        "chroot",
        [root.as_os_str(), "systemctl".as_ref(), "disable".as_ref(), "systemd-networkd-wait-online".as_ref()],
    )?;
    run("chroot", [root.as_os_str(), "apt-get".as_ref(), "clean".as_ref()])?;
    for folder in ["etc/ssh", "var/lib/apt/lists", "var/log"] {
        let folder = root.join(folder);
        let entries = io(format!("read {}", folder.display()), fs::read_dir(&folder))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = entry.path();
            let goes = name.starts_with("ssh_host_") || name == "bootstrap.log" || name.ends_with("_Packages");
            if goes || path.ends_with("InRelease") {
                io(format!("remove {}", path.display()), fs::remove_file(&path))?;
            }
        }
    }
    for empty in ["etc/machine-id", "etc/apt/sources.list", "etc/resolv.conf"] {
        let path = root.join(empty);
        io(format!("empty {}", path.display()), fs::write(&path, ""))?;
    }
    Ok(())
}
