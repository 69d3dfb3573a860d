//! No secret comes to light: canaries go through every verb, good runs and failed ones, and are then looked for in all
//! output, on both sides' disks, in journals, arguments, environments and temporary files; and planted leaks are found.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;

use crate::canary::{Canary, Hit, Search, Watch, flock};
use crate::fixture::{Lab, Machine, Ran, Running, run};

/// Where the canaries belong on the host.
const HOMES: [&str; 11] = [
    "/srv/app/key",
    "/srv/app/quotes",
    "/srv/app/base64",
    "/srv/app/hex",
    "/srv/app/url",
    "/srv/app/pin",
    "/srv/app/blanks",
    "/srv/app/long",
    "/srv/app/app.env",
    "/srv/app/app.json",
    "/srv/app/kept.conf",
];

/// Every kind that takes a secret without a server of its own; three of them go through templates and filters.
const ITEMS: &str = r#"
- group: { name: app }
- user: { name: app, group: app }
- directory: { path: /srv/app, owner: app, group: app, mode: "0750" }
- file: { path: "/srv/app/{{ shape }}", content: "{{ birds[shape] }}", owner: app, group: app, mode: "0400" }
  each: { shape: [key, quotes, base64, hex, url, pin, blanks, long] }
- template: { to: /srv/app/app.env, from: app.env.j2, owner: app, group: app, mode: "0400" }
- template: { to: /srv/app/app.json, from: app.json.j2, owner: app, group: app, mode: "0440" }
- template: { to: /srv/app/kept.conf, from: kept.conf.j2, owner: app, group: app, mode: "0600", validate: "grep -q . %s" }
- systemd_credential: { name: app-key, content: "{{ birds.key }}" }
- systemd_credential: { name: app-pin, content: "{{ birds.pin }}" }
"#;

/// A host, a controller beside it, and all that was ever said between them.
pub struct Field {
    pub lab: Lab,
    /// Everything that was ever said.
    pub said: Vec<(String, String)>,
    since: SystemTime,
    /// Where canaries belong on the host, and where on the controller.
    pub homes: (Vec<String>, Vec<String>),
}

impl Field {
    fn boot(test: &str) -> Option<Self> {
        let mut field = Self::bare(test, Machine::new("web1").with_password("canaries sing"))?;
        let lab = &mut field.lab;
        lab.write(
            "templates/app.env.j2",
            "TOKEN={{ birds.base64 }}\nHEX={{ birds.hex }}\nPIN={{ birds.pin }}\nURL=https://x/{{ birds.url | urlencode }}\nQ={{ birds.quotes | quote }}\n",
        );
        lab.write("templates/app.json.j2", "{{ birds | to_json }}\n");
        lab.write("templates/kept.conf.j2", "a = 1\nsecret = {{ birds.hex | b64encode }}\nz = 2\n");
        field.homes = (HOMES.map(str::to_owned).into(), vec!["/group_vars/all.yaml".to_owned()]);
        Some(field)
    }

    /// One without anything to be done.
    pub fn bare(test: &str, machine: Machine) -> Option<Self> {
        let lab = Lab::boot(test, &[machine])?;
        fs::create_dir_all(lab.folder.path().join("tmp")).unwrap();
        fs::create_dir_all(lab.folder.path().join("home")).unwrap();
        Some(Self { lab, said: Vec::new(), since: SystemTime::now(), homes: (Vec::new(), Vec::new()) })
    }

    /// The canaries as the inventory has them, each marked as a secret.
    fn sing(&self, canaries: &[Canary]) {
        let line =
            |canary: &Canary| format!("  {}: !secret {}\n", canary.name, serde_json::to_string(&canary.value).unwrap());
        self.lab.write("group_vars/all.yaml", &format!("birds:\n{}", canaries.iter().map(line).collect::<String>()));
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.lab.command(args);
        let folder = self.lab.folder.path();
        command.env("TMPDIR", folder.join("tmp")).env("HOME", folder.join("home"));
        command.env("RUST_BACKTRACE", "full").env("RUST_LOG", "trace");
        command
    }

    fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    pub fn note(&mut self, what: &str, ran: &Ran) {
        self.said.push((format!("what `rempart {what}` said"), ran.text()));
    }

    /// Runs a verb that must end with one of these codes.
    #[track_caller]
    pub fn verb(&mut self, args: &[&str], codes: &[i32]) -> Ran {
        let ran = run(self.command(args), Duration::from_secs(240));
        assert!(codes.contains(&ran.code), "rempart {}: {ran}", args.join(" "));
        self.note(&args.join(" "), &ran);
        ran
    }

    /// A run's number: the newest.
    pub fn newest(&mut self) -> String {
        let history = self.verb(&["history", "--json"], &[0]).json();
        let runs = history["runs"].as_array().unwrap_or_else(|| panic!("no runs: {history}"));
        runs[0]["run"].as_str().unwrap_or_else(|| panic!("no number: {history}")).to_owned()
    }

    pub fn root(&self) -> PathBuf {
        let status = rempart::lab::status(&self.lab.name).unwrap();
        PathBuf::from(format!("/proc/{}/root", status.hosts[0].pid.unwrap()))
    }

    /// Looks everywhere but where the canaries belong, and says how much that was.
    pub fn search(&mut self, search: &Search) -> Vec<Hit> {
        let journal = self.lab.try_on("web1", "journalctl -o export --no-pager --all");
        assert!(journal.out.len() > 10_000, "no journal: {journal}");
        self.said.push(("the journal of web1".into(), journal.out));
        let mut hits: Vec<Hit> =
            self.said.iter().flat_map(|(place, text)| search.bytes(place, text.as_bytes())).collect();
        let (on_host, files) = search.files(&self.root(), self.since, &self.homes.0);
        let (here, own) = search.files(self.lab.folder.path(), self.since, &self.homes.1);
        let letters: usize = self.said.iter().map(|(_, text)| text.len()).sum();
        eprintln!(
            "searched: {} texts of {letters} bytes, {files} files of the host, {own} of the controller",
            self.said.len()
        );
        assert!(files > 15 && own > 5, "there was more to be read: {files} and {own}");
        hits.extend(on_host);
        hits.extend(here);
        hits
    }
}

/// Playbooks that do with a secret what must not be done, or fail while they hold one.
const WRONG: [&str; 12] = [
    "- file: { path: \"/srv/app/{{ birds.hex }}\", content: x }",
    "- file: { path: /srv/app/x, content: x, mode: \"{{ birds.hex }}\" }",
    "- file: { path: /srv/app/x, content: x, owner: \"{{ birds.base64 }}\" }",
    "- file: { path: /srv/app/x, content: x }\n  when: birds.hex == \"x\"",
    "- file: { path: /srv/app/x, content: \"{{ birds.hex[:4] }}\" }",
    "- file: { path: /srv/app/x, content: \"{{ birds.url | upper }}\" }",
    "- file: { path: /srv/app/x, content: \"{{ birds.hex | int }}\" }",
    "- sysctl: { name: vm.swappiness, value: \"{{ birds.pin }}\" }",
    "- command: { name: x, run: \"echo {{ birds.quotes | quote }}\", creates: /x }",
    "- http_probe: { name: x, url: \"http://127.0.0.1:9/{{ birds.hex }}\", from: self }",
    "- template: { to: /srv/app/x.env, from: broken.j2 }",
    "- package_apt: { name: \"{{ birds.hex }}\" }",
];

/// What fails on the host while it holds a secret: a validator that shouts the text, a probe, a write that cannot be.
const FAILING: &str = r#"
- template: { to: /srv/app/shouted.conf, from: kept.conf.j2, owner: app, group: app, mode: "0600", validate: "sh -c 'cat \"$1\"; cat \"$1\" >&2; exit 1' sh %s" }
- http_probe: { name: asked with a secret, url: "http://192.0.2.11:9/", from: controller, headers: { Authorization: "Bearer {{ birds.hex }}" }, body: "{{ birds.url }}" }
- file: { path: /nowhere/at/all, content: "{{ birds.key }}", mode: "0600" }
"#;

#[test]
fn no_canary_comes_to_light() {
    let Some(mut field) = Field::boot("canaries") else { return };
    let (old, new) = (flock(), flock());
    let all: Vec<Canary> = old.iter().chain(&new).cloned().collect();
    let search = Arc::new(Search::new(&all));
    let watch = Watch::begin(search.clone());
    field.lab.playbook(ITEMS);
    field.sing(&old);
    field.verb(&["validate", "playbook.yaml"], &[0]);
    field.verb(&["inventory", "--json"], &[0]);
    field.verb(&["inventory"], &[0]);
    field.verb(&["explain", "web1", "birds"], &[0]);
    field.verb(&["explain", "web1", "birds", "--json"], &[0]);
    field.verb(&["graph", "playbook.yaml"], &[0]);
    field.verb(&["facts", "web1"], &[0]);
    field.verb(&["plan", "playbook.yaml"], &[0]);
    field.verb(&["plan", "playbook.yaml", "--json"], &[0]);
    field.verb(&["apply", "playbook.yaml", "--yes"], &[0]);
    for canary in &old {
        let path = field.root().join(format!("srv/app/{}", canary.name));
        assert_eq!(fs::read(path).unwrap(), canary.value.as_bytes(), "{} is not where it belongs", canary.name);
    }
    field.verb(&["drift", "playbook.yaml", "--json"], &[0]);
    // A person's hand: an old secret in lines that nobody declared, and a part of one that somebody cut.
    let cut = &old[3].value[..40];
    field.lab.on("web1", &format!("printf 'extra = %s\\n' '{cut}' >> /srv/app/kept.conf; chmod 644 /srv/app/app.env"));
    field.verb(&["drift", "playbook.yaml"], &[2]);
    field.verb(&["drift", "playbook.yaml", "--json"], &[2]);
    field.verb(&["plan", "playbook.yaml"], &[0]);
    field.lab.on("web1", "chmod 400 /srv/app/app.env");
    // New secrets in the place of the old ones.
    field.sing(&new);
    field.verb(&["plan", "playbook.yaml"], &[0]);
    field.verb(&["plan", "playbook.yaml", "--json"], &[0]);
    field.verb(&["apply", "playbook.yaml", "--yes", "--json"], &[0]);
    let run = field.newest();
    field.verb(&["history"], &[0]);
    field.verb(&["history", "show", &run], &[0]);
    field.verb(&["history", "show", &run, "--json"], &[0]);
    field.verb(&["history", "verify"], &[0]);
    wrong_ones(&mut field);
    field.lab.playbook(&format!("{ITEMS}{FAILING}"));
    field.verb(&["apply", "playbook.yaml", "--yes"], &[1]);
    field.verb(&["apply", "playbook.yaml", "--yes", "--json"], &[1]);
    killed(&mut field, &old);
    field.lab.playbook(ITEMS);
    field.verb(&["apply", "playbook.yaml", "--yes"], &[0]);
    let run = field.newest();
    field.verb(&["rollback", &run, "--yes"], &[0, 2]);
    field.verb(&["history", "show", &run], &[0]);
    let (mut hits, looks) = watch.end();
    eprintln!("processes were looked at {looks} times");
    assert!(looks > 1000, "the watch saw nothing");
    hits.extend(field.search(&search));
    assert!(hits.is_empty(), "{} leaks: {hits:#?}", hits.len());
}

fn wrong_ones(field: &mut Field) {
    field.lab.write("templates/broken.j2", "A={{ birds.hex }}\nB={{ birds.key }}\nC={{ birds.nothing }}\n");
    for items in WRONG {
        field.lab.playbook(items);
        for verb in ["validate", "plan"] {
            let ran = run(field.command(&[verb, "playbook.yaml"]), Duration::from_secs(60));
            assert!(ran.code != 101 && ran.code < 128, "{items}: {ran}");
            field.note(&format!("{verb} (of {items})"), &ran);
        }
    }
    // A file of variables that is broken where the secrets stand.
    let vars = field.lab.folder.path().join("group_vars/all.yaml");
    let whole = fs::read_to_string(&vars).unwrap();
    for broken in [
        whole.replacen("  hex: !secret", "  hex !secret", 1),
        whole.replacen(": !secret", ": !secrt", 3),
        format!("{whole}\t- x\n"),
    ] {
        fs::write(&vars, broken).unwrap();
        let ran = run(field.command(&["validate", "playbook.yaml"]), Duration::from_secs(60));
        field.note("validate (of a broken file of variables)", &ran);
    }
    fs::write(&vars, whole).unwrap();
}

/// The controller dies in the middle, the host takes its batch to its end or stops, and the next run cleans up.
fn killed(field: &mut Field, canaries: &[Canary]) {
    field.lab.playbook(&format!("{ITEMS}- command: {{ name: a while, run: sleep 4, creates: /srv/app/never }}\n"));
    field.sing(canaries);
    for signal in [Signal::KILL, Signal::INT] {
        let going = field.start(&["apply", "playbook.yaml", "--yes"]);
        let begun = Instant::now();
        while field.lab.try_on("web1", "pgrep -x sleep").code != 0 && begun.elapsed().as_secs() < 30 {
            std::thread::sleep(Duration::from_millis(50));
        }
        going.signal(signal);
        let ran = going.end(Duration::from_secs(60));
        field.note(&format!("apply (ended by {signal:?})"), &ran);
    }
    field.lab.wait_on("web1", 30, "! pgrep -x sleep");
}

#[test]
fn a_planted_leak_is_found_wherever_it_is() {
    let Some(mut field) = Field::boot("planted leaks") else { return };
    let canaries = flock();
    let search = Arc::new(Search::new(&canaries));
    field.lab.playbook("- file: { path: /srv/plain, content: \"nothing\\n\" }");
    field.sing(&canaries);
    field.verb(&["apply", "playbook.yaml", "--yes"], &[0]);
    let before = field.search(&search);
    assert!(before.is_empty(), "found where nothing is: {before:?}");
    let quote = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let hex = &canaries[3].value;
    // A process of the host that has one among its arguments, and one in its environment.
    let watch = Watch::begin(search.clone());
    for canary in &canaries {
        let said = quote(&canary.value);
        field.lab.on("web1", &format!("timeout 0.3 sh -c 'sleep 1; :' {said}; env BIRD={said} sleep 0.3; true"));
    }
    let (hits, _) = watch.end();
    for canary in &canaries {
        for place in ["the arguments of ", "the environment of "] {
            let found = hits.iter().any(|hit| hit.canary == canary.name && hit.place.starts_with(place));
            assert!(found, "{} in {place}a process was not found", canary.name);
        }
    }
    // In output, in every form.
    for canary in &canaries {
        for (form, bytes) in crate::canary::forms(&canary.value) {
            let text = [b"level=debug msg=\"".as_slice(), &bytes, b"\" end\n"].concat();
            let found = search.bytes("output", &text).iter().any(|hit| hit.canary == canary.name);
            assert!(found, "{} as {form} was not found", canary.name);
        }
    }
    // On disks: of the host, of the controller, in a file's name, in the journal.
    field.lab.on(
        "web1",
        &format!("printf %s {hex} | base64 -w0 > /var/tmp/a; printf 'echo %s\\n' {hex} >> /root/.bash_history"),
    );
    field
        .lab
        .on("web1", &format!("mkdir -p /run/x; : > /run/x/{hex}; logger -t app -- token={hex}; journalctl --sync"));
    fs::write(field.lab.state().join("debug.log"), format!("{{\"token\":\"{hex}\"}}")).unwrap();
    fs::write(field.lab.folder.path().join("tmp/x"), &canaries[5].value).unwrap();
    let hits = field.search(&search);
    let places =
        ["/var/tmp/a", "/root/.bash_history", "the name /run/x", "the journal of web1", "/state/debug.log", "/tmp/x"];
    for place in places {
        assert!(hits.iter().any(|hit| hit.place.starts_with(place)), "{place} was not found: {hits:?}");
    }
}
