//! No secret of the store comes to light: canaries go through every verb of the store, into a database and a container,
//! by good runs and by failed ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use crate::canary::{Canary, Search, Watch, flock};
use crate::fixture::{Machine, Ran, run};
use crate::leaks::Field;

/// What a container gets by its environment (`hex` alone) is in that of its process, and containerd keeps it, even when
/// the container is gone, where nobody but root can read it.
const OF_CONTAINERS: [&str; 2] =
    ["the environment of sleep", "/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db"];

const ITEMS: &str = r#"
- package_apt: { names: [docker.io, busybox-static, postgresql] }
- systemd_unit: { name: docker, enabled: true, active: true }
- systemd_unit: { name: postgresql, active: true }
- command:
    name: everything that a server can write into its log
    run: |
      cd / && setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -d postgres -c "ALTER SYSTEM SET log_statement = 'all'" -c "ALTER SYSTEM SET log_min_duration_statement = 0" -c 'SELECT pg_reload_conf()' && touch /srv/logged
    creates: /srv/logged
- command:
    name: image
    run: |
      d=$(mktemp -d)
      mkdir -p "$d/bin" "$d/etc" "$d/tmp" "$d/proc" "$d/dev" "$d/sys"
      cp "$(command -v busybox)" "$d/bin/busybox"
      for tool in sh sleep cat true; do ln -s busybox "$d/bin/$tool"; done
      tar -C "$d" -c . | docker import -c 'CMD ["sleep","1000"]' -c 'ENV PATH=/bin' - canary:1
      rm -rf "$d"
    unless: docker image inspect canary:1
- directory: { path: /srv/app, mode: "0700" }
- file: { path: "/srv/app/{{ shape }}", content: "{{ secret('birds/' ~ shape) }}", mode: "0400" }
  each: { shape: [key, quotes, base64, url, pin, blanks, long] }
- template: { to: /srv/app/app.env, from: app.env.j2, mode: "0400" }
- systemd_credential: { name: app-key, content: "{{ secret('birds/key') }}" }
- postgres_role: { name: app, login: true, password: "{{ secret('birds/quotes') }}" }
- postgres_role: { name: other, login: true, password: "{{ secret('birds/base64') }}" }
- docker_container:
    name: canary
    image: "canary:1"
    network: none
    env: { HEX: "{{ secret('birds/hex') }}" }
    volumes: ["/srv/app/key:/key:ro"]
"#;

const FAILING: &str = r#"
- template: { to: /srv/app/shouted.env, from: app.env.j2, mode: "0600", validate: "sh -c 'cat \"$1\"; cat \"$1\" >&2; exit 1' sh %s" }
- template: { to: /srv/app/cut.env, from: long.j2, mode: "0600", validate: "sh -c 'cat \"$1\"; exit 1' sh %s" }
- assert: { name: looks, run: "cat /srv/app/long /srv/app/quotes; exit 1" }
- postgres_role: { name: elsewhere, login: true, port: 5999, password: "{{ secret('birds/base64') }}" }
- docker_container: { name: lost, image: "canary:1", network: none, command: [no-such-program], env: { HEX: "{{ secret('birds/hex') }}" } }
"#;

impl Field {
    /// Puts canaries into the store as a person does, with an editor.
    fn keep(&mut self, canaries: &[Canary]) -> Ran {
        let line = |canary: &Canary| format!("{}: {}\n", canary.name, serde_json::to_string(&canary.value).unwrap());
        self.lab.write("plain.yaml", &canaries.iter().map(line).collect::<String>());
        self.edit("#!/bin/sh\nexec cp plain.yaml \"$1\"\n", 0)
    }

    fn edit(&mut self, editor: &str, code: i32) -> Ran {
        let path = self.lab.write("editor", editor);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = self.command(&["secrets", "edit", "birds"]);
        command.env("EDITOR", path).env_remove("VISUAL");
        let ran = run(command, Duration::from_secs(60));
        assert_eq!(ran.code, code, "secrets edit: {ran}");
        self.note("secrets edit birds", &ran);
        ran
    }
}

#[test]
fn no_canary_of_the_store_comes_to_light() {
    let machine = Machine { docker: true, ..Machine::new("web1") };
    let Some(mut field) = Field::bare("canaries of the store", machine) else { return };
    field.homes.1 = vec!["/plain.yaml".into()];
    field.lab.write(
        "templates/app.env.j2",
        "TOKEN={{ secret('birds/base64') }}\nPIN={{ secret('birds/pin') }}\nURL=https://x/{{ secret('birds/url') | urlencode }}\nQ={{ secret('birds/quotes') | quote }}\n",
    );
    field.lab.write("templates/long.j2", "LONG={{ secret('birds/long') }}\n");
    let (old, new) = (flock(), flock());
    let all: Vec<Canary> = old.iter().chain(&new).cloned().collect();
    let search = Arc::new(Search::new(&all));
    let watch = Watch::begin(search.clone());
    field.lab.playbook(ITEMS);
    field.verb(&["secrets", "init"], &[0]);
    field.keep(&old);
    for args in [["secrets", "list"], ["secrets", "check"], ["secrets", "burned"]] {
        field.verb(&args, &[0]);
    }
    field.verb(&["validate", "playbook.yaml"], &[0]);
    field.verb(&["plan", "playbook.yaml", "--json"], &[0]);
    field.verb(&["apply", "playbook.yaml", "--yes"], &[0]);
    for canary in old.iter().filter(|canary| canary.name != "hex") {
        let path = field.root().join(format!("srv/app/{}", canary.name));
        assert_eq!(fs::read(path).unwrap(), canary.value.as_bytes(), "{} is not where it belongs", canary.name);
    }
    // Not by `docker exec`: what that starts has the same environment, and would be seen by the watch.
    let inside = "tr '\\0' '\\n' < /proc/$(docker inspect -f '{{.State.Pid}}' canary)/environ | grep ^HEX=";
    let inside = field.lab.on("web1", inside);
    assert_eq!(inside.trim(), format!("HEX={}", old[3].value));
    field.verb(&["drift", "playbook.yaml", "--json"], &[0]);
    field.verb(&["secrets", "fingerprints", "playbook.yaml", "--key-to", "watch.key"], &[0]);
    field.verb(&["drift", "playbook.yaml", "--fingerprint-key", "watch.key"], &[0]);
    field.keep(&new);
    field.verb(&["plan", "playbook.yaml"], &[0]);
    field.verb(&["apply", "playbook.yaml", "--yes", "--json"], &[0]);
    let run = field.newest();
    field.verb(&["history", "show", &run, "--json"], &[0]);
    field.verb(&["rollback", &run, "--yes"], &[0, 1, 2]);
    field.lab.playbook(&format!("{ITEMS}{FAILING}"));
    field.verb(&["apply", "playbook.yaml", "--yes"], &[1]);
    broken(&mut field);
    field.verb(&["secrets", "scan"], &[2]);
    field.verb(&["secrets", "rekey", "--all", "--yes"], &[0]);
    field.lab.on("web1", "journalctl --sync; docker rm -f canary lost >/dev/null 2>&1; true");
    let (mut hits, looks) = watch.end();
    eprintln!("processes were looked at {looks} times");
    assert!(looks > 1000, "the watch saw nothing");
    for log in ["/var/log/postgresql/*.log", "/var/log/dpkg.log"] {
        let text = field.lab.on("web1", &format!("cat {log}"));
        field.said.push((format!("{log} of web1"), text));
    }
    let log = &field.said[field.said.len() - 2].1;
    assert!(log.contains("LOG:  statement: SELECT r.rolname"), "the server logs no statements");
    assert!(!log.contains("PASSWORD") && !log.contains("SCRAM"), "not even what is made of a password is logged");
    field.homes.0 = ["key", "quotes", "base64", "url", "pin", "blanks", "long", "app.env"]
        .map(|name| format!("/srv/app/{name}"))
        .into();
    hits.extend(field.search(&search));
    let (of_containers, hits): (Vec<_>, Vec<_>) =
        hits.into_iter().partition(|hit| hit.canary == "hex" && OF_CONTAINERS.contains(&hit.place.as_str()));
    assert!(of_containers.iter().any(|hit| hit.place == OF_CONTAINERS[0]), "the container was never seen");
    let as_nobody = format!("setpriv --reuid=65534 --regid=65534 --clear-groups cat {} | wc -c", OF_CONTAINERS[1]);
    assert_eq!(field.lab.on("web1", &as_nobody).trim(), "0", "everybody reads what containerd keeps");
    assert!(hits.is_empty(), "{} leaks: {hits:#?}", hits.len());
}

/// An editor that fails with everything before it, what it leaves that cannot be read, and a file that was tampered with.
fn broken(field: &mut Field) {
    field.edit("#!/bin/sh\ncat \"$1\" > /dev/null; exit 3\n", 1);
    field.edit("#!/bin/sh\nprintf 'x: [\\n' >> \"$1\"\n", 5);
    field.edit("#!/bin/sh\nsed -i 's/^hex: /hex /' \"$1\"\n", 5);
    let path = field.lab.folder.path().join("secrets/birds.yaml");
    let whole = fs::read_to_string(&path).unwrap();
    let plain = fs::read_to_string(field.lab.folder.path().join("plain.yaml")).unwrap();
    let first = whole.find("data:").unwrap() + 8;
    let flipped = if whole.as_bytes()[first] == b'A' { "B" } else { "A" };
    for text in [
        [&whole[..first], flipped, &whole[first + 1..]].concat(),
        // Somebody wrote plaintext beside what is encrypted.
        whole.replacen("hex: ENC", "more: x\nhex: ENC", 1),
        format!("{plain}{}", whole.lines().skip_while(|line| *line != "sops:").collect::<Vec<_>>().join("\n")),
        plain.clone(),
    ] {
        fs::write(&path, text).unwrap();
        for args in [vec!["secrets", "check"], vec!["secrets", "get", "birds/hex"], vec!["plan", "playbook.yaml"]] {
            let ran = run(field.command(&args), Duration::from_secs(60));
            assert!(ran.code != 0 && ran.code != 101 && ran.code < 128, "{args:?}: {ran}");
            field.note(&format!("{} (of a broken file)", args.join(" ")), &ran);
        }
    }
    fs::write(&path, whole).unwrap();
}
