//! libwebp behind safe functions.
#![allow(unsafe_code)]

use std::ptr;

use libwebp_sys as sys;

/// Width and height of a WebP picture as libwebp will decode it.
pub(crate) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (mut width, mut height) = (0, 0);
    // SAFETY: the pointer and length describe `bytes`; both outputs are valid for writing.
    let ok = unsafe { sys::WebPGetInfo(bytes.as_ptr(), bytes.len(), &mut width, &mut height) };
    (ok != 0).then_some((width as u32, height as u32))
}

/// Decodes into `out`, interleaved RGB or RGBA (straight) of exactly `width` by `height`; `false` when libwebp cannot.
pub(crate) fn decode_into(bytes: &[u8], width: u32, height: u32, alpha: bool, out: &mut [u8]) -> bool {
    let stride = width as usize * if alpha { 4 } else { 3 };
    if size(bytes) != Some((width, height))
        || out.len() != stride * height as usize
        || stride > i32::MAX as usize
    {
        return false;
    }
    let (data, length, to, room) = (bytes.as_ptr(), bytes.len(), out.as_mut_ptr(), out.len());
    // SAFETY: the input is `bytes`, the output `out`; libwebp checks `room` against stride and height before it writes.
    let result = unsafe {
        if alpha {
            sys::WebPDecodeRGBAInto(data, length, to, room, stride as i32)
        } else {
            sys::WebPDecodeRGBInto(data, length, to, room, stride as i32)
        }
    };
    !result.is_null()
}

/// Encodes interleaved RGB or RGBA (straight) samples with loss. `exact` keeps the colours of transparent pixels.
pub(crate) fn encode(
    samples: &[u8],
    width: u32,
    height: u32,
    alpha: bool,
    quality: u8,
    effort: u8,
    exact: bool,
) -> Result<Vec<u8>, String> {
    let stride = width as usize * if alpha { 4 } else { 3 };
    let most = sys::WEBP_MAX_DIMENSION;
    if width == 0 || height == 0 || width > most || height > most || samples.len() != stride * height as usize
    {
        return Err("the samples do not match the size".to_owned());
    }
    // SAFETY: `config` and `picture` are plain C structs for which all zeroes is a valid value, filled by their own
    // initialisers before use; the samples cover `stride * height` bytes, which is what the import reads; the writer
    // outlives the picture that points at it; picture and writer are freed on every path, and the bytes are copied before.
    unsafe {
        let mut config: sys::WebPConfig = std::mem::zeroed();
        let mut picture: sys::WebPPicture = std::mem::zeroed();
        if !sys::WebPInitConfig(&mut config) || !sys::WebPPictureInit(&mut picture) {
            return Err("its version does not match".to_owned());
        }
        config.quality = f32::from(quality.min(100));
        config.method = i32::from(effort.min(6));
        config.exact = i32::from(exact);
        config.thread_level = 0;
        if sys::WebPValidateConfig(&config) == 0 {
            return Err("the settings are out of range".to_owned());
        }
        picture.width = width as i32;
        picture.height = height as i32;
        let imported = if alpha {
            sys::WebPPictureImportRGBA(&mut picture, samples.as_ptr(), stride as i32)
        } else {
            sys::WebPPictureImportRGB(&mut picture, samples.as_ptr(), stride as i32)
        };
        let mut writer: sys::WebPMemoryWriter = std::mem::zeroed();
        sys::WebPMemoryWriterInit(&mut writer);
        picture.writer = Some(sys::WebPMemoryWrite);
        picture.custom_ptr = ptr::from_mut(&mut writer).cast();
        let result = if imported == 0 {
            Err("out of memory".to_owned())
        } else if sys::WebPEncode(&config, &mut picture) == 0 {
            Err(format!("{:?}", picture.error_code))
        } else {
            Ok(std::slice::from_raw_parts(writer.mem, writer.size).to_vec())
        };
        sys::WebPPictureFree(&mut picture);
        sys::WebPMemoryWriterClear(&mut writer);
        result
    }
}
