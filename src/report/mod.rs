//! Owns every byte that leaves the program: how results, faults and progress are worded and drawn.

mod diagnostics;
pub mod escape;
mod excerpt;
mod json;
mod paint;
mod screen;
mod words;

pub use diagnostics::diagnostics;
pub use json::json_text;
pub use paint::{Paint, Tone};
pub use screen::{Colour, Environment, NobodyToAsk, Screen, Stream};
