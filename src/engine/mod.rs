//! Owns what is done to hosts.

mod look;

pub use look::take_from_controller;
