//! The lab on this machine, for real: it boots Debian hosts and logs in to them with the real ssh client.
//! Without root it is skipped, unless `REMPART_LAB=required` says that this machine must be able to.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

#[path = "skipped/mod.rs"]
mod skipped;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rempart::lab::{self, Event, LabError, LabHost, LabSpec, Sudo};

/// The lab's background processes are this very test program: `lab serve_entry --exact --nocapture NAME [HOST]`.
#[test]
fn serve_entry() {
    let args: Vec<String> = std::env::args().collect();
    if args.len() < 5 || args[1..4] != ["serve_entry", "--exact", "--nocapture"] {
        return;
    }
    lab::serve(&args[4], args.get(5).map(String::as_str)).unwrap();
}

fn serve_command() -> Vec<String> {
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    [program, "serve_entry", "--exact", "--nocapture"].map(str::to_owned).into()
}

/// Says why a test of real hosts does not run here; a skipped test that must run is a failed one.
fn skipped(test: &str) -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout == b"0\n" {
        return false;
    }
    skipped::skip(test, "a lab needs root (namespaces, mounts); run the tests as root to have it");
    true
}

/// A lab that is taken down even when the test fails.
struct TestLab {
    spec: LabSpec,
    keys: tempfile::TempDir,
}

impl Drop for TestLab {
    fn drop(&mut self) {
        if std::env::var_os("REMPART_LAB_KEEP").is_none() {
            let _ = lab::down(&self.spec.name);
        }
    }
}

impl TestLab {
    fn new(suffix: &str, hosts: impl FnOnce(&str) -> Vec<LabHost>) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let key = keys.path().join("id");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.unwrap().success());
        let public = fs::read_to_string(key.with_extension("pub")).unwrap();
        let name = format!("t{}-{suffix}", std::process::id());
        let mut spec = LabSpec::new(&name, hosts(public.trim()));
        spec.serve = serve_command();
        fs::create_dir(keys.path().join("files")).unwrap();
        fs::write(keys.path().join("files/hello"), "served\n").unwrap();
        spec.files = Some(keys.path().join("files"));
        Self { spec, keys }
    }

    fn up(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let start = Instant::now();
        let outcome = lab::up(&self.spec, &mut |event| {
            eprintln!("{:6.2} s {event:?}", start.elapsed().as_secs_f32());
            events.push(event);
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
        events
    }

    /// The real ssh client, on the controller's side, with strict host keys.
    fn ssh(&self, host: &str, script: &str) -> Output {
        let status = lab::status(&self.spec.name).unwrap();
        let host = status.hosts.iter().find(|known| known.name == host).unwrap();
        let known_hosts = format!("UserKnownHostsFile={}", status.known_hosts.display());
        let key: PathBuf = self.keys.path().join("id");
        let argv = [
            "ssh",
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "ConnectTimeout=5",
            "-o",
            &known_hosts,
            "-i",
            key.to_str().unwrap(),
            "-p",
            &host.port.to_string(),
            &format!("{}@{}", host.user, host.address),
            script,
        ]
        .map(str::to_owned);
        lab::command(&self.spec.name, None, &argv).unwrap().output().unwrap()
    }

    fn says(&self, host: &str, script: &str) -> String {
        let output = self.ssh(host, script);
        let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{host}: {script}: {}\n{out}\n{errors}", output.status);
        out.trim().to_owned()
    }
}

fn host(name: &str, address: [u8; 4], release: &str, key: &str) -> LabHost {
    LabHost {
        name: name.into(),
        address: Ipv4Addr::from(address),
        port: 22,
        release: release.into(),
        user: "ops".into(),
        public_key: key.into(),
        sudo: Sudo::NoPassword,
        docker: false,
        memory: None,
    }
}

#[test]
fn two_releases_boot_serve_reboot_and_leave_nothing() {
    if skipped("two_releases_boot_serve_reboot_and_leave_nothing") {
        return;
    }
    let lab = TestLab::new("two", |key| {
        let first = host("web_1", [10, 20, 0, 11], "bookworm", key);
        let second = LabHost {
            port: 2222,
            memory: Some(512 << 20),
            user: "admin".into(),
            sudo: Sudo::Password("s3cret 'pass".into()),
            ..host("db", [172, 30, 9, 1], "trixie", key)
        };
        vec![first, second]
    });
    let name = lab.spec.name.clone();
    lab.up();

    // The hosts are who they should be, bare, healthy, and reach one another by name.
    assert_eq!(lab.says("web_1", "hostname; . /etc/os-release; echo $VERSION_CODENAME"), "web-1\nbookworm");
    assert_eq!(lab.says("db", "hostname; . /etc/os-release; echo $VERSION_CODENAME"), "db\ntrixie");
    for host in ["web_1", "db"] {
        let missing = "for tool in ufw nft squid docker curl python3; do command -v $tool; done; true";
        assert_eq!(lab.says(host, missing), "");
        assert_eq!(lab.says(host, "systemctl is-system-running --wait; systemctl --failed --no-legend"), "running");
        assert_eq!(lab.says(host, "ping -c1 -W2 web_1 >/dev/null && ping -c1 -W2 db >/dev/null && echo both"), "both");
    }
    let ids = ["web_1", "db"].map(|host| lab.says(host, "cat /etc/machine-id"));
    assert!(ids[0].len() == 32 && ids[0] != ids[1], "{ids:?}");

    // The memory of a host is limited where the machine has the old hierarchy and no systemd of its own.
    let limit = Path::new("/sys/fs/cgroup/memory/rempart-lab").join(&name).join("db/memory.limit_in_bytes");
    if limit.exists() {
        assert_eq!(fs::read_to_string(limit).unwrap(), "536870912\n");
    }

    // sudo as asked for.
    assert_eq!(lab.says("web_1", "sudo -n id -u"), "0");
    assert!(!lab.ssh("db", "sudo -n id -u").status.success());
    assert_eq!(lab.says("db", "echo \"s3cret 'pass\" | sudo -S -p '' id -u"), "0");

    // A host that is not in known_hosts is not talked to: the check above was a real one.
    let status = lab::status(&name).unwrap();
    let known = fs::read_to_string(&status.known_hosts).unwrap();
    fs::write(&status.known_hosts, "").unwrap();
    assert!(!lab.ssh("web_1", "true").status.success());
    fs::write(&status.known_hosts, known).unwrap();

    // apt works with Debian's signatures, and the second host is served from the cache; so are files.
    for (host, sudo) in [("web_1", "sudo"), ("db", "echo \"s3cret 'pass\" | sudo -S -p ''")] {
        let start = Instant::now();
        let script = format!("{sudo} sh -c 'apt-get -q update && apt-get -qy install tree' 2>&1 && tree --version");
        let said = lab.says(host, &script);
        assert!(said.contains("tree v"), "{said}");
        assert!(!said.contains("NOT AUTHENTICATED") && !said.contains("not signed"), "{said}");
        eprintln!("apt on {host}: {:.1} s", start.elapsed().as_secs_f32());
    }
    let url = format!("{}/files/hello", status.mirror);
    let download = format!("/usr/lib/apt/apt-helper download-file {url} /tmp/hello >/dev/null && cat /tmp/hello");
    assert_eq!(lab.says("web_1", &download), "served");

    // Nothing goes out: no address of the outside answers, not even a name server.
    assert!(!lab.ssh("web_1", "ping -c1 -W1 198.51.100.1").status.success());

    // A second `up` changes nothing, and another lab of the same name is refused.
    let events = lab.up();
    let kept = |event: &Event| matches!(event, Event::HostKept { .. });
    assert!(events.len() == 2 && events.iter().all(kept), "{events:?}");
    let mut other = lab.spec.clone();
    other.hosts[0].address = Ipv4Addr::new(10, 20, 0, 12);
    assert!(matches!(lab::up(&other, &mut |_| ()), Err(LabError::Changed { .. })));

    // A reboot from inside comes back by itself, on the same disk.
    let boot = lab.says("web_1", "cat /proc/sys/kernel/random/boot_id; cat /proc/1/stat | cut -d' ' -f22");
    // The connection may be cut before the command's answer.
    lab.ssh("web_1", "echo kept > ~/mark; sudo systemctl reboot");
    let start = Instant::now();
    loop {
        let pid = lab.ssh("web_1", "cat /proc/1/stat | cut -d' ' -f22");
        let again = String::from_utf8_lossy(&pid.stdout).trim().to_owned();
        if pid.status.success() && !boot.contains(&again) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "no reboot");
        std::thread::sleep(Duration::from_millis(100));
    }
    eprintln!("reboot from inside: {:.1} s", start.elapsed().as_secs_f32());
    assert_eq!(lab.says("web_1", "cat mark; tree --version | cut -c1-6"), "kept\ntree v");
    // So does one from outside; and a power loss, with what was written.
    lab::reboot(&name, "db").unwrap();
    assert_eq!(lab.says("db", "echo alive"), "alive");
    lab.says("db", "echo before > ~/mark");
    lab::power_off(&name, "db").unwrap();
    assert!(!lab::status(&name).unwrap().hosts[1].running);
    assert!(!lab.ssh("db", "true").status.success());
    assert!(matches!(lab::command(&name, Some("db"), &["true".into()]), Err(LabError::HostOff { .. })));
    lab::power_on(&name, "db").unwrap();
    assert_eq!(lab.says("db", "cat mark"), "before");

    // The console works without sshd.
    let stop = ["systemctl", "stop", "ssh"].map(str::to_owned);
    assert!(lab::exec(&name, Some("web_1"), &stop).unwrap().success());
    assert!(!lab.ssh("web_1", "true").status.success());

    let start = Instant::now();
    lab::down(&name).unwrap();
    eprintln!("down: {:.1} s", start.elapsed().as_secs_f32());
    assert_nothing_left(&name);
    assert!(matches!(lab::down(&name), Err(LabError::NoSuchLab(_))));
}

#[test]
fn a_lab_whose_processes_were_killed_comes_up_again_and_goes_down() {
    if skipped("a_lab_whose_processes_were_killed_comes_up_again_and_goes_down") {
        return;
    }
    let lab = TestLab::new("crash", |key| vec![host("one", [10, 20, 0, 11], "bookworm", key)]);
    let name = lab.spec.name.clone();
    lab.up();
    lab.says("one", "echo kept > mark");
    // The keeper and the mirror die; the host goes on, but nobody would boot it again.
    for pid in processes_of(&name).iter().filter(|(_, line)| line.contains("serve_entry")) {
        Command::new("kill").args(["-9", &pid.0]).status().unwrap();
    }
    // On a busy machine a killed process lives on for a moment.
    while processes_of(&name).iter().any(|(_, line)| line.contains("serve_entry")) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let events = lab.up();
    assert!(events.iter().any(|event| matches!(event, Event::HostReady { .. })), "{events:?}");
    assert!(events.iter().any(|event| matches!(event, Event::MirrorReady { .. })), "{events:?}");
    assert_eq!(lab.says("one", "cat mark"), "kept");
    // As after a reboot of the machine: no process, no mount, no namespace, but the disks.
    for pid in processes_of(&name) {
        Command::new("kill").args(["-9", &pid.0]).status().unwrap();
    }
    let directory = lab::status(&name).unwrap().directory;
    let root = directory.join("hosts/one/root");
    // The container may be dying still.
    while Command::new("umount").arg(&root).output().unwrap().status.success() {}
    let namespace = format!("rempart-lab-{name}");
    Command::new("ip").args(["netns", "delete", &namespace]).status().unwrap();
    lab.up();
    assert_eq!(lab.says("one", "cat mark"), "kept");

    // A host that cannot boot is an error that shows its console.
    lab.says("one", "sudo rm /usr/lib/systemd/systemd /lib/systemd/systemd; exit 0");
    lab::power_off(&name, "one").unwrap();
    let error = lab::power_on(&name, "one").unwrap_err();
    assert!(matches!(error, LabError::HostDied { .. }), "{error}");
    assert!(error.to_string().contains("execv"), "{error}");
    assert!(!lab::status(&name).unwrap().hosts[0].running);

    // Everything dies at once, and the record is lost: still, `down` clears up.
    for pid in processes_of(&name) {
        Command::new("kill").args(["-9", &pid.0]).status().unwrap();
    }
    fs::remove_file(directory.join("lab.json")).unwrap();
    lab::down(&name).unwrap();
    assert_nothing_left(&name);
}

/// Docker comes later, as by a playbook, and really runs and limits containers.
#[test]
fn docker_runs_in_hosts_prepared_for_it() {
    if skipped("docker_runs_in_hosts_prepared_for_it") {
        return;
    }
    let lab = TestLab::new("docker", |key| {
        let releases = ["bookworm", "trixie"];
        let hosts = releases
            .iter()
            .zip(11..)
            .map(|(release, last)| LabHost { docker: true, ..host(release, [10, 20, 0, last], release, key) });
        hosts.collect()
    });
    lab.up();
    for host in ["bookworm", "trixie"] {
        let start = Instant::now();
        let install = "sudo sh -c 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install docker.io busybox-static' 2>&1";
        lab.says(host, install);
        // From trixie on the client is a package of its own, which docker.io only recommends.
        eprintln!("docker.io on {host}: {:.1} s", start.elapsed().as_secs_f32());
        let import = "mkdir -p r/bin && cp /bin/busybox r/bin/ && ln -s busybox r/bin/sh && tar -C r -c . | sudo docker import - box:1";
        lab.says(host, import);
        eprintln!(
            "storage driver: {}",
            lab.says(host, "sudo docker info -f '{{.Driver}} {{.CgroupDriver}} {{.CgroupVersion}}'")
        );
        let run = "sudo docker run --rm --memory=64m --cpus=0.5 --pids-limit=50 --network=none --read-only --tmpfs /tmp \\
                   --cap-drop=ALL --security-opt=no-new-privileges box:1 /bin/busybox sh -c '\\
                   busybox touch /tmp/ok && ! busybox touch /no 2>/dev/null && \\
                   busybox cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; \\
                   busybox cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; busybox ls /sys/class/net'";
        let said = lab.says(host, run);
        assert!(said.contains("67108864") && said.contains("50000") && said.ends_with("lo"), "{said}");
        // A container that must come back does so after a reboot.
        lab.says(host, "sudo docker run -d --name web --restart=always --stop-timeout=1 --memory=32m box:1 /bin/busybox sleep 3600");
        lab::reboot(&lab.spec.name, host).unwrap();
        let start = Instant::now();
        while lab.says(host, "sudo docker ps -q --filter name=web --filter status=running").is_empty() {
            assert!(start.elapsed() < Duration::from_secs(30), "no container after the reboot");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    lab::down(&lab.spec.name).unwrap();
    assert_nothing_left(&lab.spec.name);
}

/// Processes whose command line names the lab.
fn processes_of(name: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let Ok(line) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if pid.parse::<u32>().is_ok() && pid != std::process::id().to_string() && line.contains(name) {
            found.push((pid, line));
        }
    }
    found
}

fn assert_nothing_left(name: &str) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(name), "a mount is left");
    assert!(!Path::new("/run/netns").join(format!("rempart-lab-{name}")).exists());
    assert_eq!(processes_of(name), [], "a process is left");
    assert!(!lab::list().unwrap().contains(&name.to_owned()));
    let state = std::env::var("REMPART_LAB_STATE").unwrap_or("/var/lib/rempart-lab".into());
    for entry in fs::read_dir(state).unwrap().flatten() {
        let entry = entry.file_name().to_string_lossy().into_owned();
        assert!(!entry.contains(name), "{entry} is left");
    }
    for entry in fs::read_dir("/run/systemd/nspawn/propagate").into_iter().flatten().flatten() {
        let entry = entry.file_name().to_string_lossy().into_owned();
        assert!(!entry.contains(name), "{entry} is left");
    }
    for hierarchy in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        assert!(!hierarchy.path().join("rempart-lab").join(name).exists(), "a control group is left");
    }
}
