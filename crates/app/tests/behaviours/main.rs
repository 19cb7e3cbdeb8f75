//! The behaviours that real clients of the AutoRetouch interface depend on, numbered as its wire specification numbers
//! them: each a test against the real binary over a real socket. A test has a server and a folder of its own, which start
//! in a moment, so that none sees what another did.
#![allow(clippy::print_stderr)] // a failed test shows the server's log

mod access;
mod business;
mod executions;
mod house;
mod images;
mod lists;
mod money;
#[path = "../e2e/png.rs"]
mod png;
#[path = "../e2e/raw.rs"]
mod raw;
mod results;
#[path = "../e2e/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the whole house, which use the rest")]
mod support;
mod told;
