//! The main job on real hosts: rempart's own binary against disposable Debian machines, checked by other means.
//!
//! Each test boots a lab of its own (about two seconds). Without root they are skipped, and say so; where
//! `REMPART_LAB=required`, a skipped test is a failed one. `REMPART_LAB_KEEP=1` keeps the machines for a look.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a test says what it skips, and what it counted")]

mod bad_files;
mod bootstrap;
mod canary;
mod clean;
mod dead_man;
mod faults;
mod first_hour;
mod fixture;
mod guard;
mod history;
mod hostile;
mod journal;
mod leaks;
mod leaks_store;
mod limits;
mod lockout;
mod lockouts;
mod one_connection;
mod orphans;
mod partial;
mod private;
mod reboot;
#[path = "../recording/mod.rs"]
#[allow(dead_code, reason = "what reads recordings is tests/recordings.rs")]
mod recording;
mod registry;
mod secrets;
mod store;
mod tamper;
mod twice;
mod undo;
mod ways;
