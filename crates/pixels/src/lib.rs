//! Bitmaps, colour and files. Knows nothing of runs, money or networks.
//!
//! Every bitmap is in one working space: sRGB, RGB or RGBA with straight alpha, 8 or 16 bit.
//! [`decode()`] brings files into it, [`encode()`] writes it, and nothing in between asks for a colour space again.

mod bitmap;
mod blur;
mod ciede2000;
mod codec;
mod colour;
mod composite;
mod decode;
mod encode;
mod error;
mod exif;
mod format;
mod geometry;
mod header;
mod lab;
mod limits;
mod metadata;
mod oklab;
mod orient;
mod outline;
mod path;
mod photoshop;
mod psd;
mod resample;
mod resize;
mod rotate;
mod small;
mod srgb;

pub use bitmap::{Bitmap, Channels, Mask, Rect, Samples, SamplesMut, to_u8, to_u16};
pub use blur::blur_mask;
pub use ciede2000::ciede2000;
pub use colour::{CmykIntent, CmykProfile, Space};
pub use composite::{flatten, lay_mask_under, lay_over};
pub use decode::{Codec, DecodeOptions, Decoded, decode};
pub use encode::{
    EncodeOptions, Encoding, PngCompression, Subsampling, TiffCompression, encode, encode_mask,
};
pub use error::PixelError;
pub use format::{Format, sniff};
pub use geometry::{crop, crop_mask, place, place_mask};
pub use header::{Header, SourceChannels, probe};
pub use lab::{Lab, linear_to_lab};
pub use limits::Limits;
pub use metadata::{DigitalSource, Rights};
pub use oklab::{LMS_TO_RGB, OKLAB_TO_ROOTS, RGB_TO_LMS, ROOTS_TO_OKLAB, linear_to_oklab, oklab_to_linear};
pub use orient::{orient, orient_mask};
pub use outline::{has_outline, probe_file};
pub use path::{ClippingPath, Knot, Path, Point, Subpath, TraceOptions, trace};
pub use psd::{Blend, Document, Layer, LayerMask, MaskValues, encode_layers};
pub use resize::{Filter, fit_inside, resize, resize_mask, resize_plane};
pub use rotate::{Outside, Turn, Window, largest_inside, rotate, rotate_mask};
pub use small::{SMALL_SIDE, Small, small};
pub use srgb::{linear_to_srgb, srgb_to_linear, srgb_u8_to_linear};
