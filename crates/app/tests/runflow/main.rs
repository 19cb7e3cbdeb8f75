//! The behaviours that real clients of the Runflow interface depend on, numbered as its wire specification numbers them:
//! each a test against the real binary over a real socket, with a server and a folder of its own.
#![allow(clippy::print_stderr)] // a failed test shows the server's log

mod batches;
mod callbacks;
mod clients;
mod evaluations;
mod fuzz;
mod house;
mod media;
#[path = "../e2e/png.rs"]
mod png;
#[path = "../e2e/raw.rs"]
mod raw;
mod runs;
#[path = "../e2e/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the whole house, which use the rest")]
mod support;
mod wire;
