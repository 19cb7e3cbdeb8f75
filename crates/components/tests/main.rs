//! The components on real pictures: golden pictures, and what must hold for every picture.

mod cut_out;
mod every;
mod export;
mod ghost;
mod golden;
mod pipeline;
mod scene;
mod skin;
