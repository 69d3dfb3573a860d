//! Owns the person at the terminal, as keys see one: asked for a passphrase without echo, or told what a key wants.

use std::io::IsTerminal;
use std::sync::Arc;

use crate::cli::show;
use crate::model::{Diagnostic, Severity};
use crate::report::{Screen, escape};
use crate::secret::Secret;
use crate::store::Ask;

/// Whoever sits at the terminal; nobody, where there is none.
pub(in crate::cli) struct Person {
    screen: Arc<Screen>,
}

impl Person {
    pub fn new(screen: Arc<Screen>) -> Self {
        Self { screen }
    }

    // rpassword asks at the terminal itself, even where standard input is a pipe.
    fn is_there(&self) -> bool {
        self.screen.is_watched() && (std::io::stdin().is_terminal() || std::path::Path::new("/dev/tty").exists())
    }
}

impl Ask for Person {
    fn passphrase(&self, question: &str) -> Option<Secret> {
        if !self.is_there() {
            return None;
        }
        let given = rpassword::prompt_password(format!("{}: ", escape::visible(question))).ok()?;
        (!given.is_empty()).then(|| Secret::new("passphrase", given))
    }

    fn text(&self, question: &str) -> Option<String> {
        self.screen.line(question).ok()
    }

    fn choice(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let no = no.unwrap_or("no");
        let answer = self.screen.line(&format!("{question} [{yes}/{no}]")).ok()?;
        match answer.trim() {
            given if given.eq_ignore_ascii_case(yes) => Some(true),
            given if given.eq_ignore_ascii_case(no) => Some(false),
            _ => None,
        }
    }

    fn show(&self, message: &str) {
        self.screen.tell(&format!("{}\n", escape::visible(message)));
    }

    fn warn(&self, told: Diagnostic) {
        show::diagnostics(&self.screen, &[Diagnostic { severity: Severity::Warning, ..told }]);
    }
}
