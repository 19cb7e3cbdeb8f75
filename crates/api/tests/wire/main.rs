//! The wire over a real socket, a real database and a real folder of blobs. Most tests are data: every file in
//! `autoretouch/`, `native/` and `runflow/` is a recorded conversation that is replayed.

mod access;
mod accounts;
mod browser;
mod case;
mod connections;
mod devices;
mod document;
mod house;
mod http;
mod load;
mod native;
mod page;
mod people;
mod replay;
mod tenants;
