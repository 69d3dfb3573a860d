//! Owns colour: what each tone looks like, and that without colour not a byte of it is written.
//!
//! Colour only repeats what a symbol or a word says already.

use anstyle::{AnsiColor, Style};

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something will be there that was not, or all is well.
    Good,
    /// Something will be different.
    Change,
    /// Something will be gone, or is wrong.
    Bad,
    /// Something follows from something else.
    React,
    /// Nobody knows.
    Doubt,
    /// Not needed to understand the rest.
    Dim,
    /// A heading.
    Bold,
}

/// How text is written to one stream: with colour or without, and how wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    /// Whether colour is written.
    pub colour: bool,
    /// How many columns there are.
    pub width: usize,
}

impl Paint {
    /// No colour, 100 columns: what a pipe gets.
    pub const PLAIN: Paint = Paint { colour: false, width: 100 };

    /// The text in a tone. The text has been made visible before.
    pub fn tone(&self, tone: Tone, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Change => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::React => AnsiColor::Cyan.on_default(),
            Tone::Doubt => AnsiColor::Magenta.on_default(),
            Tone::Dim => Style::new().dimmed(),
            Tone::Bold => Style::new().bold(),
        };
        format!("{style}{text}{style:#}")
    }
}
