//! Owns the machines of the campaign: a lab of two hosts, one of them on a disk of its own from which the power can be
//! taken for real, and what is copied so that each case begins at the same point.
//!
//! The faulted host lies on an ext4 image whose journal is written every five minutes at most, and whose files reach it
//! only when somebody syncs them. The other host is the proxy of the demo's inventory; nothing ever happens to it.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rempart::lab::{self, LabHost, LabSpec, Sudo};

use crate::fixture::{REMPART, Ran, Running, run};

pub type Done<T> = Result<T, String>;

/// The host that everything happens to.
pub const HOST: &str = "server1";
/// The playbook, and how it is applied: the shortest window that a guard may have, and little patience with a link.
const PLAYBOOK: &str = "playbooks/ollama-host.yaml";
const INVENTORY: &str = "inventories/demo.yaml";

/// Delayed allocation without the kernel's own rescue of files that are renamed before they are written.
const MOUNT: &str = "loop,commit=300,noauto_da_alloc";
const DISK_MB: u64 = 2600;
/// What of the host lies on its disk.
const ON_DISK: [&str; 4] = ["upper", "work", "docker", "containerd"];
const PAUSE_FILES: [(&str, &str, &str); 3] = [
    ("usr/local/sbin/sync", include_str!("sync.sh"), "0755"),
    ("usr/local/sbin/timeout", include_str!("timeout.sh"), "0755"),
    ("usr/local/lib/campaign.sh", include_str!("pause.sh"), "0644"),
];

/// What all labs of a campaign share: a copy of the shipped files, the first disk, and the lab they are copied from.
pub struct Ground {
    /// Where copies, states and logs lie.
    pub folder: PathBuf,
    /// Where disks lie: in memory where there is enough of it.
    pub disks: PathBuf,
    /// The source tree whose inventory and playbook are applied.
    pub project: PathBuf,
    /// The program under test: a copy, so that a build beside the campaign does not change it.
    pub program: PathBuf,
    /// Variables that are set otherwise than in the inventory.
    pub set: &'static [&'static str],
    key: PathBuf,
    public_key: String,
    known_hosts: PathBuf,
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.disks);
        if !is_kept() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// `REMPART_CAMPAIGN_KEEP=1`: the ground, some gigabytes of it, stays, and the next campaign with the same program and the
/// same playbook stands on it.
fn is_kept() -> bool {
    std::env::var_os("REMPART_CAMPAIGN_KEEP").is_some()
}

/// What a ground depends on.
fn key_of() -> Done<String> {
    let root = env!("CARGO_MANIFEST_DIR");
    let script = format!(
        "{{ cat {REMPART}; cd {root}; find playbooks inventories templates lab tests/campaign/*.sh tests/verify/objects.py -type f | sort | \
         xargs cat; }} | sha256sum"
    );
    tool(&["sh", "-c", &script])
}

/// A lab, up.
pub struct Site<'a> {
    pub ground: &'a Ground,
    pub lab: String,
    /// The program under test.
    pub program: PathBuf,
    directory: PathBuf,
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        if let Err(error) = lab::down(&self.lab) {
            eprintln!("the lab {} is still there: {error}", self.lab);
        }
        let _ = fs::remove_file(self.image());
    }
}

pub fn say<T, E: std::fmt::Display>(what: &str, result: Result<T, E>) -> Done<T> {
    result.map_err(|error| format!("{what}: {error}"))
}

/// Runs a program to its end; its output, and its complaint as the error.
pub fn tool(argv: &[&str]) -> Done<String> {
    let output = say(argv[0], Command::new(argv[0]).args(&argv[1..]).output())?;
    if !output.status.success() {
        return Err(format!("{argv:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The system's own Python: one of a version manager is slower to start than the scripts here take.
pub fn python() -> &'static str {
    if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What a campaign that was killed has left: its labs, and its disks in memory.
fn sweep() {
    let gone = |pid: &str| pid.parse::<u32>().is_ok() && !Path::new(&format!("/proc/{pid}")).exists();
    for name in lab::list().unwrap_or_default() {
        let owner = name.strip_prefix("cg").and_then(|rest| rest.split('-').next());
        if owner.is_some_and(gone) {
            let _ = lab::down(&name);
        }
    }
    for entry in fs::read_dir(MEMORY).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.strip_prefix("rempart-campaign-").is_some_and(gone) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

const MEMORY: &str = "/dev/shm";

/// Memory, unless there is too little of it for a few disks.
fn place_of_disks(folder: &Path) -> PathBuf {
    if let Some(said) = std::env::var_os("REMPART_CAMPAIGN_DISKS") {
        return PathBuf::from(said).join(format!("rempart-campaign-{}", std::process::id()));
    }
    let memory = Path::new(MEMORY);
    let free = rustix::fs::statvfs(memory).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    let available = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = available
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse::<u64>().ok());
    if free.min(available.unwrap_or(0) * 1024) > 10 << 30 {
        return memory.join(format!("rempart-campaign-{}", std::process::id()));
    }
    folder.join("disks")
}

impl Ground {
    /// Copies the shipped files, and makes the first lab with its proxy set up; it stays up as `cgPID-0`.
    pub fn make(folder: &Path, set: &'static [&'static str]) -> Done<Self> {
        sweep();
        let key = format!("{set:?} {}", key_of()?);
        if is_kept() && fs::read_to_string(folder.join("ground.key")).is_ok_and(|kept| kept == key) {
            return Self::stand_on(folder, set);
        }
        let _ = fs::remove_dir_all(folder);
        let disks = place_of_disks(folder);
        let project = folder.join("project");
        for made in [folder, &disks, &project] {
            say("make a folder", fs::create_dir_all(made))?;
        }
        let root = env!("CARGO_MANIFEST_DIR");
        for part in ["inventories", "lab", "playbooks", "templates"] {
            tool(&["cp", "-r", &format!("{root}/{part}"), text(&project)])?;
        }
        tool(&[&format!("{}/lab/make-files.sh", project.display())])?;
        let name = lab_name(0);
        let pair = say("make a key", lab::key(&name))?;
        let ground = Self {
            folder: folder.into(),
            disks,
            project,
            program: folder.join("rempart"),
            set,
            key: folder.join("key"),
            public_key: pair.public.trim().to_owned(),
            known_hosts: folder.join("known_hosts"),
        };
        say("copy the program", fs::copy(REMPART, &ground.program))?;
        say("copy the checker", fs::copy(crate::record::CHECKER, ground.checker()))?;
        say("copy the key", fs::copy(&pair.private, &ground.key))?;
        let status = say("boot the first lab", lab::up(&ground.spec(&name), &mut |_| {}))?;
        say("copy the host keys", fs::copy(&status.known_hosts, &ground.known_hosts))?;
        let site =
            Site { ground: &ground, lab: name.clone(), program: ground.program.clone(), directory: status.directory };
        let flags = ["--yes", "--phase", "preparation", "--phase", "hardening"];
        let ran = site.rempart(&[&["apply", "playbooks/egress-proxy.yaml"][..], &flags].concat(), "proxy");
        if ran.code != 0 {
            return Err(format!("the proxy could not be set up: {ran}"));
        }
        // The lab has no name server, and each question for a name would wait for five seconds; these answer at once, by
        // a port that is closed.
        let names =
            "echo '10.77.0.1 registry.ollama.ai huggingface.co example.org' >> /etc/hosts; systemctl restart squid";
        let argv = ["sh", "-c", names].map(str::to_owned);
        let ran = run(say("enter the proxy", lab::command(&site.lab, Some("proxy1"), &argv))?, Duration::from_secs(60));
        if ran.code != 0 {
            return Err(format!("the proxy could not be told of names: {ran}"));
        }
        site.move_to_disk()?;
        // The proxy is off for a moment, so that what is copied is whole.
        say("stop the proxy", lab::power_off(&site.lab, "proxy1"))?;
        tool(&["cp", "-a", text(&site.directory), text(&ground.template())])?;
        for host in [HOST, "proxy1"] {
            for stale in ["processes.json", "stay-off", "root"] {
                let path = ground.template().join("hosts").join(host).join(stale);
                let _ = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
            }
        }
        let _ = fs::remove_file(ground.template().join("mirror.json"));
        drop(site);
        say("keep the key", fs::write(folder.join("ground.key"), key))?;
        Ok(ground)
    }

    // One that an earlier campaign has made.
    fn stand_on(folder: &Path, set: &'static [&'static str]) -> Done<Self> {
        let disks = place_of_disks(folder);
        say("make a folder", fs::create_dir_all(&disks))?;
        let public_key = say("read the public key", fs::read_to_string(folder.join("template/controller_key.pub")))?;
        Ok(Self {
            folder: folder.into(),
            disks,
            project: folder.join("project"),
            program: folder.join("rempart"),
            set,
            key: folder.join("key"),
            public_key: public_key.trim().to_owned(),
            known_hosts: folder.join("known_hosts"),
        })
    }

    /// The checker, as it was when the campaign began.
    pub fn checker(&self) -> PathBuf {
        self.folder.join("objects.py")
    }

    fn template(&self) -> PathBuf {
        self.folder.join("template")
    }

    /// The disk of a bare host.
    pub fn bare(&self) -> PathBuf {
        self.folder.join("bare.img")
    }

    fn spec(&self, name: &str) -> LabSpec {
        let host = |name: &str, last: u8, sudo: Sudo, docker: bool| LabHost {
            name: name.into(),
            address: Ipv4Addr::new(10, 77, 0, last),
            port: 22,
            release: "bookworm".into(),
            user: "admin".into(),
            public_key: self.public_key.clone(),
            sudo,
            docker,
            memory: None,
        };
        let proxy = Sudo::Password("only-for-the-lab".into());
        let hosts = vec![host(HOST, 11, Sudo::NoPassword, true), host("proxy1", 21, proxy, false)];
        let mut spec = LabSpec::new(name, hosts);
        spec.controller = Ipv4Addr::new(10, 77, 0, 1);
        spec.files = Some(self.project.join("lab/files"));
        spec.serve = [text(&self.program), "lab", "serve"].map(str::to_owned).into();
        spec
    }

    /// One more lab like the first, its host on this disk.
    pub fn site(&self, number: usize, from: &Path) -> Done<Site<'_>> {
        let name = lab_name(number);
        // A key is the first thing of a lab; it tells where the lab's folder is.
        let key = say("make a key", lab::key(&name))?;
        let directory = key.private.parent().unwrap().to_path_buf();
        say("remove what is there", fs::remove_dir_all(&directory))?;
        tool(&["cp", "-a", text(&self.template()), text(&directory)])?;
        // Every container keeps, out of its own sight, what was mounted when it was started. Only where mounts are shared
        // does it let go with us; else the disk would never be free, and mounting it anew would give the old one back.
        tool(&["mount", "--bind", text(&directory), text(&directory)])?;
        tool(&["mount", "--make-shared", text(&directory)])?;
        let site = Site { ground: self, lab: name, program: self.program.clone(), directory };
        site.insert(from)?;
        say("boot", lab::up(&self.spec(&site.lab), &mut |_| {}))?;
        Ok(site)
    }
}

fn lab_name(number: usize) -> String {
    format!("cg{}-{number}", std::process::id())
}

impl Site<'_> {
    fn image(&self) -> PathBuf {
        self.ground.disks.join(format!("{}.img", self.lab))
    }

    pub fn disk(&self) -> PathBuf {
        self.directory.join("disk")
    }

    /// Gives the bare host a disk of its own.
    fn move_to_disk(&self) -> Done<()> {
        say("stop the host", lab::power_off(&self.lab, HOST))?;
        let host = self.directory.join("hosts").join(HOST);
        for (path, text, mode) in PAUSE_FILES {
            let path = host.join("upper").join(path);
            say("make a folder", fs::create_dir_all(path.parent().unwrap()))?;
            say("write", fs::write(&path, text))?;
            let mode = u32::from_str_radix(mode, 8).unwrap();
            say("set a mode", fs::set_permissions(&path, fs::Permissions::from_mode(mode)))?;
        }
        let image = self.ground.bare();
        let file = say("make a disk", fs::File::create(&image))?;
        say("make a disk", file.set_len(DISK_MB << 20))?;
        tool(&["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", text(&image)])?;
        say("make a folder", fs::create_dir_all(self.disk()))?;
        tool(&["mount", "-o", MOUNT, text(&image), text(&self.disk())])?;
        for part in ON_DISK {
            tool(&["cp", "-a", text(&host.join(part)), text(&self.disk())])?;
            say("remove", fs::remove_dir_all(host.join(part)))?;
            say("link", symlink(Path::new("../../disk").join(part), host.join(part)))?;
        }
        tool(&["umount", text(&self.disk())]).map(|_| ())
    }

    fn insert(&self, from: &Path) -> Done<()> {
        let _ = fs::remove_file(self.image());
        tool(&["cp", "--sparse=always", text(from), text(&self.image())])?;
        tool(&["mount", "-o", MOUNT, text(&self.image()), text(&self.disk())]).map(|_| ())
    }

    /// Out with the disk of a host that is off, once the kernel has let go of everything of it.
    fn take_out(&self) -> Done<()> {
        tool(&["umount", text(&self.disk())])?;
        // A link of the same name could not be made while the old one is on its way out; the proxy's stays.
        let gone = "i=0; while [ \"$(ip -o link show master lab0 | wc -l)\" -gt 1 ]; do \
                    i=$((i + 1)); [ $i -lt 75 ] || exit 1; sleep 0.2; done";
        self.in_network(gone)?;
        let image = self.image();
        let begun = Instant::now();
        while !tool(&["losetup", "-j", text(&image)])?.trim().is_empty() {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(format!("somebody still holds {}", image.display()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Copies the disk of the running host, whole, as if it had been synced at this moment.
    pub fn copy_disk(&self, to: &Path) -> Done<()> {
        tool(&["fsfreeze", "-f", text(&self.disk())])?;
        let copied = tool(&["cp", "--sparse=always", text(&self.image()), text(to)]);
        tool(&["fsfreeze", "-u", text(&self.disk())])?;
        copied.map(|_| ())
    }

    /// Off with the host, in with a copy of another disk, on again.
    pub fn start_from(&self, image: &Path) -> Done<()> {
        self.heal_link();
        say("stop the host", lab::power_off(&self.lab, HOST))?;
        self.take_out()?;
        self.insert(image)?;
        say("boot", lab::power_on(&self.lab, HOST))
    }

    /// Takes the power from the host: what was not synced is lost. It is off afterwards.
    pub fn cut_power(&self) -> Done<()> {
        let pid = self.pid()?.to_string();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/campaign/power_cut.py");
        let cut = tool(&[python(), script, text(&self.disk()), &pid]);
        say("stop the host", lab::power_off(&self.lab, HOST))?;
        self.take_out()?;
        // Mounting plays the filesystem's own journal back, as a booting kernel does.
        tool(&["mount", "-o", MOUNT, text(&self.image()), text(&self.disk())])?;
        cut.map(|_| ())
    }

    pub fn boot(&self) -> Done<()> {
        say("boot", lab::power_on(&self.lab, HOST))
    }

    pub fn fill_disk(&self) -> Done<()> {
        // `fallocate` takes the blocks at once; `dd` takes what is left of them.
        let script = "for size in 1024M 256M 64M 16M 4M 1M 256K 64K 16K 4K; do n=0; \
            while fallocate -l $size filler.$size.$n 2>/dev/null; do n=$((n + 1)); done; rm -f filler.$size.$n; done; \
            dd if=/dev/zero of=filler.last bs=4k oflag=sync 2>/dev/null; sync -f .; [ \"$(df --output=avail . | tail -n 1)\" -lt 8 ]";
        tool(&["sh", "-c", &format!("cd {} && {script}", self.disk().display())]).map(|_| ())
    }

    pub fn free_disk(&self) {
        let _ = tool(&["sh", "-c", &format!("rm -f {}/filler.*", self.disk().display())]);
    }

    /// No packet passes between the host and the controller any more, and nobody is told.
    pub fn cut_link(&self) -> Done<()> {
        self.in_network(
            "nft 'table inet campaign { chain in { type filter hook input priority 0; ip saddr 10.77.0.11 drop; }; \
             chain out { type filter hook output priority 0; ip daddr 10.77.0.11 drop; }; }'",
        )
    }

    pub fn heal_link(&self) {
        let _ = self.in_network("nft delete table inet campaign 2>/dev/null || :");
    }

    /// The controller's kernel gives its connections to the host up now, and not after a quarter of an hour.
    pub fn end_tcp(&self) -> Done<()> {
        self.in_network("ss -K dst 10.77.0.11 >/dev/null")
    }

    fn in_network(&self, script: &str) -> Done<()> {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let ran = run(say("enter the lab", lab::command(&self.lab, None, &argv))?, Duration::from_secs(20));
        if ran.code == 0 { Ok(()) } else { Err(format!("{script}: {ran}")) }
    }

    /// Process 1 of the running host.
    pub fn pid(&self) -> Done<i32> {
        let status = say("look at the lab", lab::status(&self.lab))?;
        let host = status.hosts.iter().find(|host| host.name == HOST);
        host.and_then(|host| host.pid).ok_or_else(|| "the host is off".to_owned())
    }

    /// A file of the running host, as the host sees it.
    pub fn path(&self, path: &str) -> Done<PathBuf> {
        Ok(PathBuf::from(format!("/proc/{}/root{path}", self.pid()?)))
    }

    /// Runs a script as root on the host, by other means than rempart.
    pub fn on(&self, script: &str) -> Done<String> {
        let argv = ["timeout", "60", "sh", "-c", script].map(str::to_owned);
        let command = say("enter the host", lab::command(&self.lab, Some(HOST), &argv))?;
        let ran = run(command, Duration::from_secs(90));
        if ran.code == 0 { Ok(ran.out) } else { Err(format!("{script}: {ran}")) }
    }

    fn command(&self, args: &[&str], state: &str) -> Command {
        let program = self.program.to_string_lossy().into_owned();
        let argv: Vec<String> = std::iter::once(program).chain(args.iter().map(|arg| (*arg).to_owned())).collect();
        let mut command = lab::command(&self.lab, None, &argv).unwrap();
        for name in ["REMPART_IN_LAB", "REMPART_INVENTORY", "REMPART_PRIVATE_KEY", "REMPART_KNOWN_HOSTS"] {
            command.env_remove(name);
        }
        command.env("REMPART_INVENTORY", INVENTORY);
        command.env("REMPART_KNOWN_HOSTS", &self.ground.known_hosts);
        command.env("REMPART_PRIVATE_KEY", &self.ground.key);
        // What the controller itself remembers of its runs begins anew with each case.
        command.env("REMPART_STATE", self.state_of(state));
        command.env("NO_COLOR", "1").current_dir(&self.ground.project);
        command
    }

    /// The controller's own memory in a case.
    pub fn state_of(&self, case: &str) -> PathBuf {
        self.ground.folder.join("state").join(&self.lab).join(case)
    }

    pub fn rempart(&self, args: &[&str], state: &str) -> Ran {
        run(self.command(args, state), Duration::from_secs(300))
    }

    /// Starts an apply of the playbook and does not wait for it.
    pub fn start(&self, state: &str) -> Running {
        Running::start(self.command(&self.with_variables(&APPLY), state))
    }

    /// Applies the playbook.
    pub fn apply(&self, state: &str) -> Ran {
        self.rempart(&self.with_variables(&APPLY), state)
    }

    /// What there would be to do.
    pub fn plan(&self, state: &str) -> Ran {
        self.rempart(&self.with_variables(&["plan", PLAYBOOK, "--detailed-exitcode", "--json"]), state)
    }

    fn with_variables<'b>(&'b self, args: &[&'b str]) -> Vec<&'b str> {
        let set = self.ground.set.iter().flat_map(|set| ["--set", *set]);
        args.iter().copied().chain(set).collect()
    }

    /// Asks the host to hold still at this moment (a pattern of the shell).
    pub fn want(&self, moment: &str) -> Done<()> {
        let folder = self.path("/run/campaign")?;
        say("make a folder", fs::create_dir_all(&folder))?;
        say("say the moment", fs::write(folder.join("wanted.new"), moment))?;
        say("say the moment", fs::rename(folder.join("wanted.new"), folder.join("wanted")))
    }

    /// Waits until the host holds still, and says where; `None` when the controller ended first.
    pub fn held(&self, running: &mut Running, within: Duration) -> Done<Option<String>> {
        let at = self.path("/run/campaign/at")?;
        let begun = Instant::now();
        let mut is_told = false;
        loop {
            if let Ok(moment) = fs::read_to_string(&at) {
                return Ok(Some(moment.trim().to_owned()));
            }
            if running.has_ended() {
                return Ok(None);
            }
            if begun.elapsed() > within {
                return Err(format!("the moment did not come within {within:.0?}; {}", self.youngest()));
            }
            // Nothing of the playbook takes that long; what does should be known even where it ends well.
            if begun.elapsed() > Duration::from_secs(90) && !is_told {
                is_told = true;
                eprintln!("after 90 s the moment has not come; {}", self.youngest());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn youngest(&self) -> String {
        let list = self.on("ps -eo etimes,stat,args --sort=-start_time | head -n 40");
        format!("the host's youngest processes: {}", list.unwrap_or_else(|why| why))
    }

    pub fn release(&self) -> Done<()> {
        let _ = fs::remove_file(self.path("/run/campaign/at")?);
        say("let it go on", fs::write(self.path("/run/campaign/go")?, ""))
    }
}

const APPLY: [&str; 7] = ["apply", PLAYBOOK, "--yes", "--confirm-within", "15", "--timeout", "4"];
