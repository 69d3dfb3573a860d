//! Completions as bash, zsh and fish make them: each sources its script and is asked what it would offer.

use std::time::{Duration, Instant};

use super::desk::{Desk, Said, has};
use rempart::history::{Event, Journal, RunEvent, RunSelection, RunVerb};

fn desk() -> Desk {
    let desk = Desk::with_project();
    desk.write(
        "fleet/inventories/hosts.yaml",
        "all:\n  children:\n    web: { hosts: { web1: , web2: } }\n    paris: { hosts: { web1: , db1: } }\n",
    );
    desk
}

/// What is typed, and what a shell must make of it where that is one word only.
const ONE: [(&str, &str); 14] = [
    ("rempart val", "validate"),
    ("rempart plan --detailed-e", "--detailed-exitcode"),
    ("rempart lab ex", "exec"),
    ("rempart kinds systemd_un", "systemd_unit"),
    ("rempart explain db", "db1"),
    ("rempart explain web1 greet", "greeting"),
    ("rempart trust pa", "paris"),
    ("rempart plan --limit pa", "paris"),
    ("rempart plan --limit 'web:&pa", "web:&paris"),
    ("rempart plan -l web1,d", "web1,db1"),
    ("rempart plan --tags fire", "firewall"),
    ("rempart plan --tags packages,fire", "packages,firewall"),
    ("rempart apply --phase pro", "production"),
    ("rempart plan playbooks/si", "playbooks/site.yaml"),
];

fn bash(desk: &Desk, line: &str) -> Vec<String> {
    let script = "source <(rempart completions bash)\ncomplete -p rempart >&2 || exit 9\n\
                  COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9\nread -ra COMP_WORDS <<<\"$1\"\n\
                  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_rempart rempart\n\
                  [ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' \"${COMPREPLY[@]}\"";
    let asked = desk.command("bash", "fleet").args(["--norc", "--noprofile", "-c", script, "bash", line]).output();
    let said = Said::of(asked.unwrap());
    assert!(said.good && said.err.contains("complete -F _rempart rempart"), "{line}: {}", said.all());
    said.out.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes() {
    let desk = desk();
    for (line, word) in ONE {
        assert_eq!(bash(&desk, line), [word], "{line}");
    }
    // bash begins a new word after these, so only what follows is put in.
    assert_eq!(bash(&desk, "rempart plan --limit web:pa"), ["paris"]);
    assert_eq!(bash(&desk, "rempart plan --limit=db"), ["db1"]);
    assert_eq!(bash(&desk, "rempart plan -l web"), ["web", "web1", "web2"]);
    assert_eq!(bash(&desk, "rempart plan -i inventories/hosts.yaml --limit 'web1:!d"), ["web1:!db1"]);
    assert!(bash(&desk, "rempart plan ").contains(&"playbooks/".to_owned()));
}

/// What a person's bash makes of a word that is completed inside of an open quote: the word itself again.
#[test]
fn what_is_put_into_an_open_quote_is_the_name_again() {
    let desk = desk();
    let names = ["a b$HOME.yaml", "q\"uote.yaml", "it's.yaml", "tick`id`.yaml", "back\\slash.yaml", "bang!!x.yaml"];
    for name in names {
        desk.write(&format!("fleet/odd/{name}"), "x");
    }
    for quote in ['"', '\''] {
        for name in names {
            // As much of it as is plain.
            let begin: String = name.chars().take_while(|c| c.is_ascii_lowercase()).collect();
            let line = format!("rempart plan {quote}odd/{begin}");
            let put = bash(&desk, &line);
            assert_eq!(put.len(), 1, "{line}: {put:?}");
            // As a terminal has it: with the expansion of `!`.
            let script = format!("set -o history -o histexpand\nprintf %s {quote}{}{quote}\n", put[0]);
            desk.write("typed", &script);
            let read = desk.command("bash", "").args(["--norc", "typed"]).output().unwrap();
            let said = Said::of(read);
            assert_eq!(said.out, format!("odd/{name}"), "{script}: {}", said.all());
        }
    }
    // Only what stands behind the quote is put there.
    assert_eq!(bash(&desk, "rempart plan --limit web1:'!d"), ["!db1"]);
    assert_eq!(bash(&desk, "rempart plan --limit \"web1:\"\\!\"d"), ["db1"]);
}

#[test]
fn runs_are_completed_by_their_numbers() {
    let desk = desk();
    for (number, verb) in [("3f2a00c1d2e4", RunVerb::Apply), ("4b9a00c1d2e4", RunVerb::Rollback)] {
        let run = RunEvent {
            run: number.into(),
            verb,
            who: "ops@control".into(),
            why: "an example".into(),
            playbooks: Vec::new(),
            inventories: Vec::new(),
            selection: RunSelection::default(),
            set_names: Vec::new(),
            approved: Vec::new(),
            resumes: None,
            allowed_lockouts: Vec::new(),
        };
        Journal::open(&desk.path(".local/state/rempart")).unwrap().append(&Event::Run(Box::new(run))).unwrap();
    }
    assert_eq!(bash(&desk, "rempart history show 3"), ["3f2a00c1d2e4"]);
    let mut all = bash(&desk, "rempart rollback ");
    all.sort();
    assert_eq!(all, ["3f2a00c1d2e4", "4b9a00c1d2e4"]);
    assert_eq!(bash(&desk, "rempart apply --resume 4"), ["4b9a00c1d2e4"]);
}

#[test]
fn a_broken_project_is_met_with_silence_and_in_no_time() {
    let desk = desk();
    desk.write("fleet/inventories/hosts.yaml", "all: [");
    assert_eq!(bash(&desk, "rempart plan --limit pa"), Vec::<String>::new());
    desk.write("fleet/rempart.toml", "nonsense");
    assert_eq!(bash(&desk, "rempart val"), ["validate"]);
    // A program could do anything; it is not run for a key that was pressed.
    let program = "#!/bin/sh\ntouch was-run\necho '{\"web\": [\"web9\"]}'\n";
    desk.write("fleet/inventories/hosts.sh", program);
    let path = desk.path("fleet/inventories/hosts.sh");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let began = Instant::now();
    assert_eq!(bash(&desk, "rempart plan -i inventories/hosts.sh --limit we"), Vec::<String>::new());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(!desk.path("fleet/was-run").exists());
}

#[test]
fn fish_completes() {
    if !has("fish") {
        return;
    }
    let desk = desk();
    let fish = |line: &str| {
        let script = "rempart completions fish | source; complete -C $argv[1]";
        let said = Said::of(desk.command("fish", "fleet").args(["--no-config", "-c", script, line]).output().unwrap());
        assert!(said.good, "{line}: {}", said.all());
        let words = said.out.lines().map(|line| line.split('\t').next().unwrap_or("").trim_matches('\'').to_owned());
        words.collect::<Vec<_>>()
    };
    for (line, word) in ONE {
        assert_eq!(fish(line), [word], "{line}");
    }
    assert_eq!(fish("rempart plan -l web"), ["web", "web1", "web2"]);
    assert!(fish("rempart ").contains(&"apply".to_owned()));
    assert!(fish("rempart lab ").contains(&"up".to_owned()));
}

#[test]
fn zsh_completes() {
    if !has("zsh") {
        return;
    }
    let desk = desk();
    // A second zsh at a terminal of its own: text and a tab are typed, then ^X writes down what the line became.
    let script = r#"zmodload zsh/zpty
zpty inner zsh -f -i
zpty -w inner 'PROMPT=; autoload -Uz compinit; compinit -u -D; source <(rempart completions zsh)'
zpty -w inner 'note() { print -r -- "$BUFFER" > noted.part; mv noted.part noted }; zle -N note; bindkey "^X" note; : > ready'
for ((i = 0; i < 600; i++)) { [[ -e ready ]] && break; sleep 0.1 }
for line in "$@"; do
  rm -f noted
  zpty -w -n inner "$line"$'\t\x18'
  for ((i = 0; i < 300; i++)) { [[ -s noted ]] && break; sleep 0.1 }
  print -r -- "$(<noted)"
  zpty -w -n inner $'\x15'
done
zpty -d inner"#;
    let lines: Vec<&str> = ONE.iter().map(|(line, _)| *line).collect();
    let said = Said::of(desk.command("zsh", "fleet").args(["-f", "-c", script, "zsh"]).args(&lines).output().unwrap());
    let became: Vec<&str> = said.out.lines().collect();
    assert_eq!(became.len(), ONE.len(), "{}", said.all());
    for ((line, word), became) in ONE.iter().zip(became) {
        let quote = if line.contains('\'') { "'" } else { "" };
        let before = line.rsplit_once(' ').map_or("", |(before, _)| before);
        assert_eq!(became.trim_end().trim_end_matches('\''), format!("{before} {quote}{word}"), "{line}");
    }
}
