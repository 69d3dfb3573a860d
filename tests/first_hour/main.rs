//! The first hour: `init`, `rempart.toml`, `explain`, `doctor`, `kinds`, manual pages, and completions in real shells.
//!
//! Nothing here connects to a host. A shell that is not installed is skipped with a NOTICE, unless
//! `REMPART_LAB=required` says that this machine must have it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a test says what it skips")]

mod desk;
mod explained;
mod patterns;
mod project;
mod shells;
