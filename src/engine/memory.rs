//! Owns what a host remembers of runs: how that is asked for with every probe, and how a run's end is written down there.

use crate::model::ResourceId;
use crate::quote::Sh;
use crate::resource::{Answer, ProbeScript};
use crate::sh;
use crate::transport::Entry;

use super::batch::{GUARD, HOME, IMAGES, library};

const SECTION: &str = "rempart/memory";

// How many runs' before-images a host keeps.
const KEPT_RUNS: usize = 20;

/// What a host has to tell besides the state of its resources: of earlier runs, and of the way to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostNote {
    /// A run that nobody saw the end of.
    pub unfinished: Option<PastRun>,
    /// A change that it took back by itself.
    pub healed: Option<Healed>,
    /// Since when (in seconds since 1970) a risky change waits to be confirmed, and who is to do it if it is a person.
    pub waiting: Option<(u64, String)>,
    /// A run that is at work on it now.
    pub held: Option<Holder>,
    /// The way that let us in, where it was not the first that the inventory lists.
    pub entry: Option<Entry>,
}

/// A run as far as the host's journal tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PastRun {
    /// Its number.
    pub run: String,
    /// Its last lines.
    pub lines: Vec<PastLine>,
}

/// One line of a host's journal. docs/history.md tells the words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PastLine {
    /// The batch's number.
    pub batch: String,
    /// What happened: `intent`, `done`, `fail`.
    pub word: String,
    /// The step's number in its batch.
    pub step: String,
    /// More about it.
    pub text: String,
}

/// A change that a host took back by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healed {
    /// When, in seconds since 1970.
    pub at: u64,
    /// `boot`, `timer`, `step` (a risky step failed) or `person`.
    pub by: String,
    /// What is not as it was before, after all; empty when the way back was whole.
    pub differs: Vec<String>,
}

/// Who holds a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The run's number.
    pub run: String,
    /// `user@controller`.
    pub who: String,
    /// Since when, in seconds since 1970.
    pub since: Option<u64>,
    /// What is run, and a person's message.
    pub why: String,
}

impl Holder {
    /// Reads its four parts, with tabs between.
    pub(super) fn read(text: &str) -> Self {
        let mut parts = text.split('\t').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Self { run: next(), who: next(), since: next().parse().ok(), why: next() }
    }
}

impl HostNote {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl PastLine {
    /// The resources that the line names, and the step's title.
    pub fn subject(&self) -> (&str, &str) {
        self.text.split_once(" | ").unwrap_or(("", &self.text))
    }

    /// Whether it is about this resource.
    pub fn is_about(&self, id: &ResourceId) -> bool {
        let id = id.to_string();
        self.subject().0.split(", ").any(|known| known == id)
    }
}

/// Asks for it, along with everything else.
pub(super) fn ask(script: &mut ProbeScript) {
    script.section(
        SECTION,
        sh!(
            "cd {} 2>/dev/null || exit 0
if [ -e guard/healed ]; then sed -e '1s/^/healed /' -e '2d' guard/healed; fi
if [ -e guard/armed ]; then printf 'waiting %s %s\\n' \"$(stat -c %Y guard/armed)\" \"$(cat guard/person 2>/dev/null)\"; fi
[ ! -e /run/rempart/lease ] || flock -n -s /run/rempart/lease true \\
  || printf 'held %s\\n' \"$(tr '\\n' '\\t' < /run/rempart/holder)\"
set -- runs/*/open
[ -e \"$1\" ] || exit 0
run=$(ls -t -- \"$@\" | head -n 1); run=${run#runs/}; run=${run%/open}
printf 'unfinished %s\\n' \"$run\"
awk -F '\\t' -v OFS='\\t' -v run=\"$run\" '$4 == run { print \"| \" $5, $6, $7, $8 }' journal | tail -n 80",
            HOME
        ),
    );
}

/// Reads the answer; `None` = it has nothing to tell.
pub(super) fn read(answer: &Answer) -> Option<HostNote> {
    let section = answer.section(SECTION).ok()?;
    let mut note = HostNote::default();
    for line in String::from_utf8_lossy(&section.stdout).lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = rest.splitn(2, ' ');
        match word {
            "healed" => {
                let at = words.next().and_then(|at| at.parse().ok()).unwrap_or_default();
                let by = words.next().and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned();
                note.healed = Some(Healed { at, by, differs: Vec::new() });
            }
            "differs" => {
                if let Some(healed) = &mut note.healed {
                    healed.differs.push(rest.to_owned());
                }
            }
            "waiting" => {
                let since = words.next().and_then(|at| at.parse().ok()).unwrap_or_default();
                note.waiting = Some((since, words.next().unwrap_or_default().to_owned()));
            }
            "held" => note.held = Some(Holder::read(rest)),
            "unfinished" => note.unfinished = Some(PastRun { run: rest.to_owned(), lines: Vec::new() }),
            "|" => {
                let mut parts = rest.splitn(4, '\t').map(str::to_owned);
                let mut next = || parts.next().unwrap_or_default();
                let line = PastLine { batch: next(), word: next(), step: next(), text: next() };
                if let Some(past) = &mut note.unfinished {
                    past.lines.push(line);
                }
            }
            _ => {}
        }
    }
    (!note.is_empty()).then_some(note)
}

/// Lets go of the lease of a run whose controller lost sight of a step. The run stays open: where the host's journal has
/// the intent of a step and no end of it, the next apply puts that step back before it plans.
pub(super) fn leave(run: &str) -> Sh {
    // Not while a batch of it still runs: whoever holds the host must be told.
    sh!(
        "cd /run/rempart && flock -n lease sh -c {} sh {}",
        "[ \"$(head -n 1 holder)\" != \"$1\" ] || rm -f holder; rm -rf -- \"/run/rempart/$1\"",
        run
    )
}

/// Writes down on the host that its controller saw this run to its end, and lets go of the lease. What earlier runs left
/// open was told in this run's plan; but one that still runs holds the lease. With `past_is_settled`, so is what the host took
/// back by itself before this run.
pub(super) fn close(run: &str, past_is_settled: bool) -> Sh {
    let mut text = Sh::program_of_the_user(&format!("{}{GUARD}", library()));
    text.line(sh!(
        "cd {} || exit 1
# A reboot leaves nothing of it.
mkdir -p -m 0700 /run/rempart
rp_journal {} 0 close -
rm -f -- {}
if [ \"$(head -n 1 /run/rempart/holder)\" = {} ]; then rm -f /run/rempart/holder; fi
if [ {} = true ] && [ \"$(sed -n '2s/ .*//p' ../guard/healed 2>/dev/null)\" != {} ]; then rm -f ../guard/healed; fi
flock -n /run/rempart/lease sh -c 'rm -f -- */open' && rp_guard_tidy
ls -t | tail -n +{} | while read -r old; do [ -e \"$old/open\" ] || rm -rf -- \"$old\"; done
rm -rf -- {}",
        IMAGES,
        run,
        format!("{run}/open"),
        run,
        past_is_settled.to_string(),
        run,
        KEPT_RUNS + 1,
        format!("/run/rempart/{run}")
    ));
    text
}
