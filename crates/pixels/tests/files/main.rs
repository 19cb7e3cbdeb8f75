//! Real files in, real files out: every format, every limit, every way of being broken.

mod build;
mod colour;
mod encoded;
mod formats;
mod garbled;
mod layered;
mod limits;
mod orientation;
mod written;
