//! The first hour: `init`, `rempart.toml`, `explain`, `doctor`, `kinds`, manual pages, and completions in real shells.
//!
//! Nothing here connects to a host. A shell that is not installed is skipped with a NOTICE, unless
//! `REMPART_LAB=required` or `CI` says that this machine must have it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod desk;
mod explained;
mod inventories;
mod others;
mod patterns;
mod project;
mod shells;
#[path = "../skipped/mod.rs"]
mod skipped;
