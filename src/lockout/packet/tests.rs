#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
