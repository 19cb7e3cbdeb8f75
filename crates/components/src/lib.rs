//! What is done to a picture: one component, one file. Plain blocking code on one thread; knows nothing of stores,
//! requests or money beyond its own price.

mod cache;
mod combine;
mod component;
mod context;
mod crop;
mod drop_shadow;
mod edit_filename;
mod export;
mod fault;
mod fill_background;
mod frame;
mod input;
mod layer;
mod pipeline;
mod promise;
mod remove_background;
mod render;
mod set_on_canvas;
mod setting;
mod settings;
mod starter;
mod toolbox;

pub use cache::{CacheLimits, CacheStats, DiskTier, StepCache};
pub use combine::Combine;
pub use component::{ALL, Component, Entry, catalogue, entry};
pub use context::{Context, Images, Limits};
pub use crop::Crop;
pub use drop_shadow::DropShadow;
pub use edit_filename::EditFilename;
pub use export::Export;
pub use fault::Fault;
pub use fill_background::FillBackground;
pub use frame::{Encoded, Frame, NamedFile, Origin, Subject};
pub use input::Input as InputComponent;
pub use layer::{Backdrop, Ink, Shadow, ShadowKind};
pub use pipeline::{File, Input, Product, process, process_together};
pub use remove_background::RemoveBackground;
pub use set_on_canvas::SetOnCanvas;
pub use setting::{Colour, ImageRef, Length, Number, Ratio, Whole};
pub use settings::{Setting, settings_help, settings_of};
pub use starter::{Starter, starters};
pub use toolbox::Toolbox;
