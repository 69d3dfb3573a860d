//! Owns the two streams: results on stdout, everything else on stderr, and who may see colour.
//!
//! The only writer of the program. A reader who goes away (`| head`) ends the output, never the run; any other error
//! of a stream is kept for [`Screen::finish`].

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::MultiProgress;

use super::Paint;
use crate::secret::{Rendered, Secret, hide};

/// What `--color` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// As the stream and the environment say.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What of the environment decides on colour.
#[derive(Clone, Copy, Debug, Default)]
pub struct Environment {
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and neither empty nor 0.
    pub force: bool,
    /// `TERM` is `dumb`.
    pub dumb: bool,
}

impl Environment {
    /// As the process has it.
    pub fn read() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            no_color: set("NO_COLOR").is_some(),
            force: set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            dumb: set("TERM").is_some_and(|value| value == "dumb"),
        }
    }
}

/// One stream as [`Screen::with`] takes it.
pub struct Stream {
    /// Where bytes go.
    pub writer: Box<dyn Write + Send>,
    /// Whether a person sits there.
    pub terminal: bool,
    /// How many columns there are, if known.
    pub width: Option<usize>,
}

/// Both streams of output and the one of input.
pub struct Screen {
    out: Mutex<Pen>,
    err: Mutex<Pen>,
    input: Mutex<Box<dyn BufRead + Send>>,
    input_terminal: bool,
    quiet: bool,
    live: Mutex<Option<MultiProgress>>,
    known: Mutex<Option<Box<Known>>>,
}

/// The secrets that are known by now, none of which may be written.
pub type Known = dyn Fn() -> Vec<Arc<Vec<Secret>>> + Send + Sync;

struct Pen {
    writer: Box<dyn Write + Send>,
    paint: Paint,
    terminal: bool,
    written: bool,
    closed: bool,
    error: Option<io::Error>,
}

/// Nobody could be asked: a question needs a terminal on stdin and on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no terminal to ask at")]
pub struct NobodyToAsk;

impl Screen {
    /// The process's own streams.
    pub fn new(colour: Colour, quiet: bool) -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let width = |terminal: bool, size: Option<(terminal_size::Width, terminal_size::Height)>| {
            size.filter(|_| terminal).map(|(width, _)| usize::from(width.0))
        };
        let (out_is, err_is) = (out.is_terminal(), err.is_terminal());
        let out_width = width(out_is, terminal_size::terminal_size_of(&out));
        let err_width = width(err_is, terminal_size::terminal_size_of(&err));
        Self::with(
            Stream { writer: Box::new(io::BufWriter::new(out)), terminal: out_is, width: out_width },
            Stream { writer: Box::new(err), terminal: err_is, width: err_width },
            (Box::new(io::BufReader::new(io::stdin())), io::stdin().is_terminal()),
            colour,
            Environment::read(),
            quiet,
        )
    }

    /// Streams of the caller's choice; the input says whether it is a terminal.
    pub fn with(
        out: Stream,
        err: Stream,
        input: (Box<dyn BufRead + Send>, bool),
        colour: Colour,
        environment: Environment,
        quiet: bool,
    ) -> Self {
        let pen = |stream: Stream| {
            let paint = Paint {
                colour: has_colour(colour, environment, stream.terminal),
                width: stream.width.map_or(Paint::PLAIN.width, |width| width.clamp(40, 400)),
            };
            Mutex::new(Pen {
                writer: stream.writer,
                paint,
                terminal: stream.terminal,
                written: false,
                closed: false,
                error: None,
            })
        };
        Self {
            out: pen(out),
            err: pen(err),
            input: Mutex::new(input.0),
            input_terminal: input.1,
            quiet,
            live: Mutex::new(None),
            known: Mutex::new(None),
        }
    }

    /// From now on nothing is written in which one of these secrets stands, whoever printed it; but by
    /// [`Screen::hand_over`].
    pub fn hide(&self, known: Box<Known>) {
        *locked(&self.known) = Some(known);
    }

    /// Writes a result to stdout.
    pub fn print(&self, text: &str) {
        self.write(&self.out, text);
    }

    /// Writes a document to stdout; a secret is taken out of its texts, so that it stays a document.
    pub fn print_json(&self, value: &serde_json::Value) {
        let known = self.known();
        let text = match known.iter().all(|some| some.is_empty()) {
            true => super::json_text(value, true),
            false => super::json_text(&without(value, &known), true),
        };
        self.put(&self.out, &text);
    }

    fn known(&self) -> Vec<Arc<Vec<Secret>>> {
        locked(&self.known).as_ref().map(|known| known()).unwrap_or_default()
    }

    /// Writes to stderr: diagnostics and answers to the user's own doing, `--quiet` or not.
    pub fn tell(&self, text: &str) {
        self.write(&self.err, text);
    }

    /// Writes to stderr what `--quiet` silences.
    pub fn chat(&self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// Whether a result was written to stdout.
    pub fn has_printed(&self) -> bool {
        locked(&self.out).written
    }

    /// How to write for stdout.
    pub fn out_paint(&self) -> Paint {
        locked(&self.out).paint
    }

    /// How to write for stderr.
    pub fn err_paint(&self) -> Paint {
        locked(&self.err).paint
    }

    /// Whether `--quiet` was said.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a person watches stderr.
    pub fn is_watched(&self) -> bool {
        locked(&self.err).terminal
    }

    /// Asks for an approval; only `yes` typed in full is one.
    ///
    /// # Errors
    /// There is no terminal on stdin and stderr, so nobody can be asked.
    pub fn ask(&self, question: &str) -> Result<bool, NobodyToAsk> {
        if !self.input_terminal || !self.is_watched() {
            return Err(NobodyToAsk);
        }
        self.tell(&format!("\n{}\n  Only \"yes\" is taken as an approval: ", super::escape::visible(question)));
        let mut answer = String::new();
        // What cannot be read, such as a closed terminal, is no approval.
        let read = locked(&self.input).read_line(&mut answer);
        if !answer.ends_with('\n') {
            self.tell("\n");
        }
        Ok(read.is_ok() && answer.trim() == "yes")
    }

    /// Asks for a line that need not be hidden.
    ///
    /// # Errors
    /// There is no terminal on stdin and stderr, so nobody can be asked.
    pub fn line(&self, question: &str) -> Result<String, NobodyToAsk> {
        if !self.input_terminal || !self.is_watched() {
            return Err(NobodyToAsk);
        }
        self.tell(&format!("{}: ", super::escape::visible(question)));
        let mut answer = String::new();
        locked(&self.input).read_line(&mut answer).map_err(|_| NobodyToAsk)?;
        Ok(answer.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// Writes a secret to stdout, to the byte, for the one verb whose purpose that is.
    pub fn hand_over(&self, secret: &Rendered) {
        let mut pen = locked(&self.out);
        if pen.closed {
            return;
        }
        let written = secret.send_to(&mut pen.writer).and_then(|()| {
            // The prompt of a shell would stand behind it.
            if pen.terminal {
                pen.writer.write_all(b"\n")?;
            }
            pen.writer.flush()
        });
        pen.note(written);
    }

    /// Flushes both streams.
    ///
    /// # Errors
    /// Output was lost: a full disk, say. A reader who went away is no error.
    pub fn finish(&self) -> io::Result<()> {
        for pen in [&self.out, &self.err] {
            let mut pen = locked(pen);
            if !pen.closed {
                let flushed = pen.writer.flush();
                pen.note(flushed);
            }
            if let Some(error) = pen.error.take() {
                return Err(error);
            }
        }
        Ok(())
    }

    /// While lines are drawn live, everything written goes between them.
    pub(super) fn set_live(&self, live: Option<MultiProgress>) {
        *locked(&self.live) = live;
    }

    fn write(&self, pen: &Mutex<Pen>, text: &str) {
        self.put(pen, &hidden(text, &self.known()));
    }

    fn put(&self, pen: &Mutex<Pen>, text: &str) {
        let live = locked(&self.live).clone();
        let write = || locked(pen).write(text);
        match live {
            Some(live) => live.suspend(write),
            None => write(),
        }
    }
}

fn hidden(text: &str, known: &[Arc<Vec<Secret>>]) -> String {
    known.iter().fold(text.to_owned(), |text, secrets| hide(&text, secrets).into_owned())
}

fn without(value: &serde_json::Value, known: &[Arc<Vec<Secret>>]) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(hidden(text, known)),
        Value::Array(items) => items.iter().map(|item| without(item, known)).collect(),
        Value::Object(entries) => {
            // Names are rempart's own or those of variables, and so is what names a thing: whoever reads it needs them as
            // they are, and templates let no secret into them.
            let named = |name: &str| {
                ["id", "host", "phase", "place", "act", "state", "outcome", "kind", "format_version", "run"]
                    .contains(&name)
            };
            let entry = |(name, value): (&String, &Value)| {
                (name.clone(), if named(name) { value.clone() } else { without(value, known) })
            };
            Value::Object(entries.iter().map(entry).collect())
        }
        other => other.clone(),
    }
}

impl Pen {
    fn write(&mut self, text: &str) {
        if self.closed {
            return;
        }
        self.written |= !text.is_empty();
        let written = self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush());
        self.note(written);
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.closed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.error = Some(error);
            }
        }
    }
}

// The flag outranks the environment, and NO_COLOR outranks CLICOLOR_FORCE.
fn has_colour(colour: Colour, environment: Environment, terminal: bool) -> bool {
    match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if environment.no_color => false,
        Colour::Auto => environment.force || (terminal && !environment.dumb),
    }
}

// A thread that panicked while printing must not silence the others.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;

    /// A writer whose bytes a test can read, or that fails.
    #[derive(Clone, Default)]
    pub struct Buffer {
        pub bytes: Arc<Mutex<Vec<u8>>>,
        pub fails: Option<io::ErrorKind>,
    }

    impl Buffer {
        pub fn text(&self) -> String {
            String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
        }

        fn stream(&self, terminal: bool) -> Stream {
            Stream { writer: Box::new(self.clone()), terminal, width: terminal.then_some(80) }
        }
    }

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(kind) = self.fails {
                return Err(kind.into());
            }
            self.bytes.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A screen with its stdout and stderr.
    pub fn screen(terminal: bool, typed: &'static str, quiet: bool) -> (Screen, Buffer, Buffer) {
        let (out, err) = (Buffer::default(), Buffer::default());
        let input = (Box::new(typed.as_bytes()) as Box<dyn BufRead + Send>, terminal);
        let environment = Environment::default();
        let (to, told) = (out.stream(terminal), err.stream(terminal));
        (Screen::with(to, told, input, Colour::Auto, environment, quiet), out, err)
    }

    #[test]
    fn results_and_chatter_never_mix() {
        let (screen, out, err) = screen(false, "", true);
        screen.print("{}\n");
        screen.tell("careful\n");
        screen.chat("by the way\n");
        assert_eq!((out.text().as_str(), err.text().as_str()), ("{}\n", "careful\n"));
        assert!(screen.finish().is_ok());
    }

    #[test]
    fn a_reader_who_goes_away_is_no_error_and_a_full_disk_is_one() {
        for (kind, is_error) in [(io::ErrorKind::BrokenPipe, false), (io::ErrorKind::StorageFull, true)] {
            let bad = Buffer { fails: Some(kind), ..Buffer::default() };
            let input = (Box::new(io::empty()) as Box<dyn BufRead + Send>, false);
            let (out, err) = (bad.stream(false), Buffer::default().stream(false));
            let screen = Screen::with(out, err, input, Colour::Auto, Environment::default(), false);
            screen.print("a\n");
            screen.print("b\n");
            assert_eq!(screen.finish().is_err(), is_error);
        }
    }

    #[test]
    fn only_yes_in_full_approves_and_only_a_terminal_is_asked() {
        for (typed, approved) in [("yes\n", true), ("y\n", false), ("YES\n", false), ("", false), (" yes \n", true)] {
            assert_eq!(screen(true, typed, false).0.ask("Apply this plan?"), Ok(approved), "{typed:?}");
        }
        let (screen, _, err) = screen(false, "yes\n", false);
        assert_eq!(screen.ask("Apply this plan?"), Err(NobodyToAsk));
        assert_eq!(err.text(), "");
    }

    #[test]
    fn the_flag_outranks_the_environment() {
        let env = |no_color, force| Environment { no_color, force, dumb: false };
        assert!(has_colour(Colour::Always, env(true, false), false));
        assert!(!has_colour(Colour::Never, env(false, true), true));
        assert!(!has_colour(Colour::Auto, env(true, true), true));
        assert!(has_colour(Colour::Auto, env(false, true), false));
        assert!(has_colour(Colour::Auto, env(false, false), true));
        assert!(!has_colour(Colour::Auto, env(false, false), false));
        assert!(!has_colour(Colour::Auto, Environment { dumb: true, ..env(false, false) }, true));
    }
}
