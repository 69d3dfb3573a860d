//! Owns the network of a lab: one namespace, one bridge, the controller's address on it.
//! Must not know what runs in it.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use sha2::{Digest, Sha256};

use super::error::{LabError, Result, io};
use super::tool::run;

/// The bridge; its namespace is its own, so every lab may use the same name.
pub(super) const BRIDGE: &str = "lab0";

/// The namespace of a lab, as `ip netns` lists it.
pub(super) fn namespace(lab: &str) -> String {
    format!("rempart-lab-{lab}")
}

/// The file that stands for the namespace.
pub(super) fn namespace_path(lab: &str) -> PathBuf {
    Path::new("/run/netns").join(namespace(lab))
}

/// Whether the namespace is there: a file left behind without its mount is none.
pub(super) fn exists(lab: &str) -> bool {
    namespace_is_mounted(&namespace_path(lab))
}

/// What the kernel calls the filesystem of namespaces (linux/magic.h).
const NSFS_MAGIC: rustix::fs::FsWord = 0x6e73_6673;

fn namespace_is_mounted(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|fs| fs.f_type == NSFS_MAGIC)
}

/// Makes the namespace, its bridge and the controller's address; what is half there is made anew.
pub(super) fn create(lab: &str, controller: Ipv4Addr) -> Result<()> {
    let name = namespace(lab);
    remove(lab)?;
    run("ip", ["netns", "add", &name])?;
    let ip = |words: &str| -> Result<String> { run("ip", ["-n", &name].into_iter().chain(words.split_whitespace())) };
    ip("link set lo up")?;
    // Without an address of its own a bridge takes the lowest of its ports': hosts that boot one after
    // the other would each change it under the ARP caches of the others.
    let digest = Sha256::digest(lab.as_bytes());
    let mac = format!("02:{:02x}:{:02x}:{:02x}:00:01", digest[0], digest[1], digest[2]);
    ip(&format!("link add {BRIDGE} address {mac} type bridge"))?;
    ip(&format!("address add {controller}/32 dev {BRIDGE}"))?;
    ip(&format!("link set {BRIDGE} up"))?;
    // Every address is on the link, whatever network it would be of.
    ip(&format!("route add default dev {BRIDGE} scope link src {controller}"))?;
    Ok(())
}

/// Removes the namespace; with it go the bridge and every link.
pub(super) fn remove(lab: &str) -> Result<()> {
    let path = namespace_path(lab);
    if exists(lab) {
        run("ip", ["netns", "delete", &namespace(lab)])?;
    } else if path.exists() {
        // `ip netns delete` refuses what is not mounted.
        io(format!("remove {}", path.display()), std::fs::remove_file(&path))?;
    }
    Ok(())
}

/// Runs a closure on a thread that lives in the lab's namespace; sockets it makes keep belonging there.
pub(super) fn inside<T: Send>(lab: &str, work: impl FnOnce() -> T + Send) -> Result<T> {
    let path = namespace_path(lab);
    let file = File::open(&path).map_err(|_| LabError::NoSuchLab(lab.to_owned()))?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        });
        let joined = thread.join().unwrap_or(Err(rustix::io::Errno::INTR));
        io(format!("enter {}", path.display()), joined)
    })
}
