//! Owns broken builds: the program with one of its embedded scripts exchanged, as a build of an edited source tree would have
//! it. A campaign that does not fail them shows nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::case::{Case, Fault, Moment};
use crate::record::Recorded;
use crate::site::{Done, say};

/// A way to break the program: edits of the scripts that run on a target.
pub struct Mutant {
    pub name: &'static str,
    /// What is replaced by what, in which script, and how often at least.
    edits: &'static [(&'static str, &'static str, &'static str, usize)],
    /// What must be seen with it.
    faults: &'static [Fault],
}

pub const MUTANTS: [Mutant; 2] = [
    Mutant {
        name: "without fsync",
        edits: &[
            ("target.sh", "sync ", "true ", 2),
            ("runner.sh", "sync ", "true ", 1),
            ("runner.sh", "sync;", "true;", 1),
            ("journal.sh", "sync ", "true ", 1),
            ("undo.sh", "sync ", "true ", 1),
        ],
        faults: &[Fault::Power, Fault::Power, Fault::Power],
    },
    Mutant {
        name: "without the journal",
        edits: &[("journal.sh", "tee -a -- \"$rp_j\" > /dev/null && sync", "cat > /dev/null && true", 1)],
        faults: &[Fault::Controller, Fault::Power, Fault::Sshd],
    },
];

impl Mutant {
    /// The cases that must fail with it: each in the middle of a batch, after a step that wrote a file, and out of reach of
    /// the guard, which syncs for itself.
    pub fn cases(&self, recorded: &Recorded) -> Vec<Case> {
        let steps = &recorded.steps;
        let telling = |at: &usize| {
            let (before, step) = (&steps[*at - 1], &steps[*at]);
            (before.disk, before.batch) == (step.disk, step.batch) && before.syncs && !before.title.starts_with("set ")
        };
        let places: Vec<usize> = (1..steps.len()).filter(telling).collect();
        let spread = |number: usize| places[number * (places.len() - 1) / (self.faults.len() - 1).max(1)];
        let case = |(number, fault): (usize, &Fault)| Case {
            fault: *fault,
            moment: Moment::Before,
            step: steps[spread(number)].clone(),
        };
        self.faults.iter().enumerate().map(case).collect()
    }

    /// Makes the broken program beside the good one.
    pub fn build(&self, program: &Path) -> Done<PathBuf> {
        let mut bytes = say("read the program", fs::read(program))?;
        let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine");
        for script in ["target.sh", "runner.sh", "journal.sh", "guard.sh", "undo.sh"] {
            let edits: Vec<_> = self.edits.iter().filter(|edit| edit.0 == script).collect();
            if edits.is_empty() {
                continue;
            }
            let old = say(script, fs::read_to_string(engine.join(script)))?;
            let mut new = old.clone();
            for (_, from, to, least) in edits {
                let found = new.matches(from).count();
                if found < *least {
                    return Err(format!(
                        "{script} has `{from}` {found} times; the mutant {:?} must be thought over",
                        self.name
                    ));
                }
                new = new.replace(from, to);
            }
            exchange(&mut bytes, old.as_bytes(), new.as_bytes()).map_err(|why| format!("{script}: {why}"))?;
        }
        let path = program.with_file_name(format!("rempart-{}", self.name.replace(' ', "-")));
        say("write the mutant", fs::write(&path, bytes))?;
        say("make it run", fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))?;
        Ok(path)
    }
}

/// Exchanges every copy of a text in a program; what the new one lacks in length is made up by empty lines.
fn exchange(bytes: &mut [u8], old: &[u8], new: &[u8]) -> Done<()> {
    if new.len() > old.len() {
        return Err("the edited script is longer than the one in the program".to_owned());
    }
    let mut found = 0;
    let mut from = 0;
    while let Some(at) = bytes[from..].windows(old.len()).position(|window| window == old) {
        let place = &mut bytes[from + at..from + at + old.len()];
        place.fill(b'\n');
        place[..new.len()].copy_from_slice(new);
        found += 1;
        from += at + old.len();
    }
    if found == 0 { Err("it is not in the program as it is in the source: build first".to_owned()) } else { Ok(()) }
}

#[test]
fn a_script_is_exchanged_in_every_place() {
    let mut bytes = b"xx sync -- a\nyy sync -- a\n".to_vec();
    exchange(&mut bytes, b"sync -- a\n", b"true a\n").unwrap();
    assert_eq!(bytes, b"xx true a\n\n\n\nyy true a\n\n\n\n");
    assert!(exchange(&mut bytes, b"sync -- a\n", b"true a\n").is_err());
}
