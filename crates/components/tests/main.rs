//! The components on real pictures: golden pictures, and what must hold for every picture.

mod every;
mod export;
mod ghost;
mod golden;
mod pipeline;
mod scene;
mod skin;
