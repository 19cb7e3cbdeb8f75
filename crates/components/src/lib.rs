//! What is done to a picture: one component, one file. Plain blocking code on one thread; knows nothing of stores,
//! requests or money beyond its own price.

mod cache;
mod clean;
mod color;
mod combine;
mod component;
mod context;
mod crop;
mod denoise;
mod drop_shadow;
mod edit_filename;
mod export;
mod fault;
mod fill_background;
mod frame;
mod input;
mod layer;
mod pipeline;
mod product;
mod promise;
mod remove_background;
mod remove_object;
mod render;
mod resize;
mod rotate;
mod set_on_canvas;
mod setting;
mod settings;
mod sharpen;
mod skin_retouch;
mod starter;
mod straighten;
mod toolbox;
mod turn;
mod upscale;

pub use cache::{CacheLimits, CacheStats, DiskTier, StepCache};
pub use color::Color;
mod watermark;

pub use clean::Clean;
pub use combine::Combine;
pub use component::{ALL, Component, Entry, catalogue, entry};
pub use context::{Context, Images, Limits};
pub use crop::Crop;
pub use denoise::Denoise;
pub use drop_shadow::DropShadow;
pub use edit_filename::EditFilename;
pub use export::Export;
pub use fault::Fault;
pub use fill_background::FillBackground;
pub use frame::{Encoded, Frame, NamedFile, Origin, Subject};
pub use input::Input as InputComponent;
pub use layer::{Backdrop, Blend, Ink, Mark, Shadow, ShadowKind};
pub use pipeline::{File, Input, Product, process, process_together};
pub use remove_background::RemoveBackground;
pub use remove_object::RemoveObject;
pub use resize::Resize;
pub use rotate::Rotate;
pub use set_on_canvas::SetOnCanvas;
pub use setting::{
    Areas, Colour, ImageRef, Length, List, Number, Point, Polygon, Ratio, Rectangle, Share, Stroke, Whole,
};
pub use settings::{Setting, settings_help, settings_of};
pub use sharpen::Sharpen;
pub use skin_retouch::SkinRetouch;
pub use starter::{Starter, starters};
pub use straighten::Straighten;
pub use toolbox::Toolbox;
pub use upscale::Upscale;
pub use watermark::Watermark;
