//! The business in plain types: what a workflow, a run, an account and a caller are, and which moves they allow.
//! No I/O, no clock, no randomness, nothing async: time and ids come in as arguments.

pub mod access;
pub mod account;
pub mod asset;
pub mod audit;
pub mod batch;
pub mod component;
pub mod delivery;
pub mod evaluation;
pub mod event;
pub mod filter;
pub mod grouping;
pub mod id;
pub mod image;
pub mod ledger;
pub mod log;
pub mod page;
pub mod repeat;
pub mod request;
pub mod review;
pub mod run;
pub mod seal;
pub mod subscription;
pub mod time;
pub mod workflow;
