//! The whole house, driven from outside: the real binary, real sockets, real files, real clients.
#![allow(clippy::print_stderr)] // a failed test shows the server's log

mod accounts;
mod bad_input;
mod command_line;
mod crash;
mod demo;
mod drain;
mod load;
#[allow(dead_code, reason = "shared with the tests of the dialects, which use the rest")]
mod png;
mod python_client;
mod quality;
mod support;
mod tls;
mod webhooks;
