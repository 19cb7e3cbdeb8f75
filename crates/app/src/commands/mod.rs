//! One file a command.

pub mod certificate;
pub mod components;
pub mod credentials;
pub mod demo;
pub mod models;
pub mod organizations;
pub mod process;
pub mod users;
pub mod workflows;
