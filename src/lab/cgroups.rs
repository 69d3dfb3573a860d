//! Owns the control groups of lab hosts: which layout the machine has, one group per host, its removal.
//! Must not know how a host boots.
//!
//! On a machine that systemd runs, systemd owns the tree and nspawn asks it for a scope: then nothing is
//! done here. Elsewhere (containers, small virtual machines) each host needs a group of its own: without one,
//! hosts share a "payload" group and their service managers see each other's services.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::{Result, io};
use super::state::Process;

const TOP: &str = "rempart-lab";

/// How this machine groups processes.
pub(super) struct Layout {
    /// systemd is process 1 here.
    pub(super) systemd: bool,
    hierarchies: Vec<Hierarchy>,
}

struct Hierarchy {
    mount: PathBuf,
    /// As /proc/PID/cgroup names it: `cpu`, `name=systemd`, nothing for the unified one.
    controllers: String,
}

impl Layout {
    /// Reads the layout from /proc.
    pub(super) fn of_machine() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self {
            systemd: Path::new("/run/systemd/system").is_dir(),
            hierarchies: mounts.lines().filter_map(hierarchy).collect(),
        }
    }

    /// Controllers that are bound to the old hierarchies, and so are missing in the unified one.
    pub(super) fn legacy_controllers(&self) -> Vec<&str> {
        let names = self.hierarchies.iter().map(|h| h.controllers.as_str());
        names.filter(|name| !name.is_empty() && !name.starts_with("name=")).collect()
    }

    /// Which hierarchies a host gets: what `SYSTEMD_NSPAWN_UNIFIED_HIERARCHY` is set to, `None` for unset.
    ///
    /// The unified one (as a fresh Debian has it) wherever it serves. Docker needs real controllers: where the
    /// machine binds them to the old hierarchies, a Docker host gets those. Unset, nspawn copies such a mixed
    /// layout, and with the unified hierarchy beside the old ones systemd still learns when a service has
    /// ended; with the old ones alone it never does in a container, and each reboot waits two minutes for a
    /// user manager that is gone.
    pub(super) fn unified(&self, docker: bool) -> Option<&'static str> {
        let has_unified = self.hierarchies.iter().any(|h| h.controllers.is_empty());
        match (has_unified, self.legacy_controllers().is_empty(), docker) {
            (true, true, _) | (true, false, false) => Some("1"),
            (true, false, true) => None,
            (false, _, _) => Some("0"),
        }
    }

    /// Moves this process into the host's group, so that what it starts is born there; gives back the way out.
    pub(super) fn enter(&self, lab: &str, host: &str, memory: Option<u64>) -> Result<Way> {
        let mut way = Way(Vec::new());
        if self.systemd {
            return Ok(way);
        }
        let present = present_groups();
        let me = std::process::id().to_string();
        for hierarchy in &self.hierarchies {
            let group = hierarchy.make(&[TOP, lab, host])?;
            if let (Some(bytes), Some(file)) = (memory, hierarchy.memory_file()) {
                let file = group.join(file);
                io(format!("limit memory in {}", file.display()), fs::write(&file, bytes.to_string()))?;
            }
            let back = present.get(&hierarchy.controllers).map_or("/", String::as_str);
            way.0.push(hierarchy.mount.join(back.trim_start_matches('/')));
            let entry = group.join("cgroup.procs");
            io(format!("enter {}", group.display()), fs::write(&entry, &me))?;
        }
        Ok(way)
    }

    /// Processes that are in the groups of a lab (or of one of its hosts).
    pub(super) fn processes(&self, lab: &str, host: Option<&str>) -> Vec<Process> {
        let mut pids = Vec::new();
        for hierarchy in &self.hierarchies {
            let group = hierarchy.mount.join(TOP).join(lab).join(host.unwrap_or(""));
            visit(&group, &mut |directory| {
                let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
                pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
            });
        }
        pids.sort_unstable();
        pids.dedup();
        pids.into_iter().filter_map(Process::of).collect()
    }

    /// Removes the groups of a lab; the kernel refuses where a process is left, and that is fine.
    pub(super) fn remove(&self, lab: &str) {
        for hierarchy in &self.hierarchies {
            let top = hierarchy.mount.join(TOP);
            visit(&top.join(lab), &mut |directory| {
                let _ = fs::remove_dir(directory);
            });
            // Goes with the last lab.
            let _ = fs::remove_dir(top);
        }
    }
}

/// Where this process was before it entered a host's groups.
pub(super) struct Way(Vec<PathBuf>);

impl Way {
    /// Goes back: a host's group may not hold processes that are not of the host.
    pub(super) fn leave(self) -> Result<()> {
        let me = std::process::id().to_string();
        for group in self.0 {
            let entry = group.join("cgroup.procs");
            io(format!("go back to {}", group.display()), fs::write(&entry, &me))?;
        }
        Ok(())
    }
}

impl Hierarchy {
    fn make(&self, parts: &[&str]) -> Result<PathBuf> {
        let mut group = self.mount.clone();
        for part in parts {
            let parent = group.clone();
            group.push(part);
            if !group.is_dir() {
                // Hosts boot side by side: another keeper may have made it meanwhile.
                io(format!("make the control group {}", group.display()), fs::create_dir_all(&group))?;
            }
            if self.controllers.is_empty() {
                // What cannot be passed on is not had: Docker then says which limit it misses.
                let has = fs::read_to_string(parent.join("cgroup.controllers")).unwrap_or_default();
                for controller in has.split_whitespace() {
                    let _ = fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}"));
                }
            }
            if self.controllers.split(',').any(|name| name == "cpuset") {
                // A new cpuset is empty, and an empty one takes no process.
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    let value = io("read a cpuset", fs::read_to_string(parent.join(file)))?;
                    io("fill a cpuset", fs::write(group.join(file), value.trim()))?;
                }
            }
        }
        Ok(group)
    }

    fn memory_file(&self) -> Option<&'static str> {
        if self.controllers.split(',').any(|name| name == "memory") {
            return Some("memory.limit_in_bytes");
        }
        let unified = self.controllers.is_empty();
        let has = fs::read_to_string(self.mount.join("cgroup.controllers")).unwrap_or_default();
        (unified && has.split_whitespace().any(|name| name == "memory")).then_some("memory.max")
    }
}

/// One line of mountinfo: `... MOUNTPOINT OPTIONS ... - TYPE SOURCE SUPEROPTIONS`.
fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (left, right) = line.split_once(" - ")?;
    let mount = PathBuf::from(left.split(' ').nth(4)?);
    let mut right = right.split(' ');
    let controllers = match right.next()? {
        "cgroup2" => String::new(),
        "cgroup" => {
            const NOT_CONTROLLERS: [&str; 6] = ["rw", "ro", "xattr", "noprefix", "clone_children", "none"];
            let options = right.nth(1)?.split(',');
            let names = options.filter(|o| !NOT_CONTROLLERS.contains(o) && !o.starts_with("release_agent"));
            names.collect::<Vec<_>>().join(",")
        }
        _ => return None,
    };
    Some(Hierarchy { mount, controllers })
}

fn present_groups() -> HashMap<String, String> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    });
    lines.collect()
}

/// Calls for a directory and all below it, the deepest first.
fn visit(directory: &Path, call: &mut dyn FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            visit(&entry.path(), call);
        }
    }
    call(directory);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(lines: &str) -> Layout {
        Layout { systemd: false, hierarchies: lines.lines().filter_map(hierarchy).collect() }
    }

    #[test]
    fn a_docker_host_gets_the_hierarchy_that_has_the_controllers() {
        let fresh = layout("30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate");
        assert_eq!((fresh.unified(true), fresh.unified(false)), (Some("1"), Some("1")));
        assert!(fresh.legacy_controllers().is_empty());
        let mixed = layout(
            "1 0 0:1 / / rw - ext4 /dev/vda rw\n\
             31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
             32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
             33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
        );
        assert_eq!((mixed.unified(true), mixed.unified(false)), (None, Some("1")));
        assert_eq!(mixed.legacy_controllers(), ["cpu,cpuacct"]);
        let old = layout("31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu");
        assert_eq!(old.unified(true), Some("0"));
    }
}
