//! What a file says about itself beside its pixels: resolution, rights, where the picture came from.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::encode::EncodeOptions;
use crate::{PixelError, photoshop};

/// How a picture came to be, in the words of IPTC's "Digital Source Type" vocabulary, which marketplaces read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitalSource {
    /// Taken by a digital camera and not changed beyond what a darkroom does.
    DigitalCapture,
    /// A photograph that was edited by a person or a program without generated content.
    HumanEdits,
    /// A photograph with elements that a trained model made.
    CompositeWithTrainedAlgorithmicMedia,
    /// Put together of several photographs.
    CompositeCapture,
    /// Made by a trained model.
    TrainedAlgorithmicMedia,
}

impl DigitalSource {
    /// Its address in the vocabulary of IPTC.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::DigitalCapture => "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
            Self::HumanEdits => "http://cv.iptc.org/newscodes/digitalsourcetype/humanEdits",
            Self::CompositeWithTrainedAlgorithmicMedia => {
                "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
            }
            Self::CompositeCapture => "http://cv.iptc.org/newscodes/digitalsourcetype/compositeCapture",
            Self::TrainedAlgorithmicMedia => {
                "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
            }
        }
    }
}

/// Whose picture it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// The copyright notice.
    pub copyright: Option<String>,
    /// Who made it.
    pub artist: Option<String>,
}

impl Rights {
    /// These, with the gaps filled from others.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { copyright: self.copyright.or(other.copyright), artist: self.artist.or(other.artist) }
    }
}

/// A text from a file, without what no text holds; `None` where nothing is left, or it is too long to be meant.
pub(crate) fn text_of(bytes: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect();
    let text = text.trim();
    (!text.is_empty() && text.len() <= LONGEST_TEXT).then(|| text.to_owned())
}

/// What is written beside the pixels.
pub(crate) struct Metadata<'a> {
    /// Dots per inch, 1..=65535.
    pub dpi: Option<f64>,
    /// The profile to be embedded.
    pub icc: Option<&'a [u8]>,
    /// The copyright notice, not empty.
    pub copyright: Option<&'a str>,
    /// Who made it, not empty.
    pub artist: Option<&'a str>,
    /// An XMP packet.
    pub xmp: Option<String>,
    /// Photoshop's image resource blocks.
    pub photoshop: Option<Vec<u8>>,
}

/// Longest notice and name, in bytes.
const LONGEST_TEXT: usize = 8192;

/// Everything that the options ask to be written, for a picture of that size.
pub(crate) fn metadata(options: &EncodeOptions, size: (u32, u32)) -> Result<Metadata<'_>, PixelError> {
    let refuse = |name, value: String, allowed| Err(PixelError::Argument { name, value, allowed });
    if let Some(dpi) = options.dpi
        && !(1.0..=65_535.0).contains(&dpi)
    {
        return refuse("dpi", dpi.to_string(), "1 to 65535 is allowed");
    }
    for (name, text) in [("copyright", &options.copyright), ("artist", &options.artist)] {
        if let Some(text) = text
            && text.len() > LONGEST_TEXT
        {
            return refuse(name, format!("{} bytes long", text.len()), "at most 8192 bytes are allowed");
        }
    }
    if let Some(clipping) = &options.clipping_path
        && (clipping.path.width, clipping.path.height) != size
    {
        let value = format!("for {} by {} pixels", clipping.path.width, clipping.path.height);
        return refuse("clipping_path", value, "it must have the size of the picture");
    }
    fn given(text: &Option<String>) -> Option<&str> {
        text.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }
    let (copyright, artist) = (given(&options.copyright), given(&options.artist));
    let icc = if options.embed_profile { Some(options.space.profile()) } else { None };
    let is_psd = options.encoding.format() == crate::Format::Psd;
    // PSD has no place for rights but this one.
    let wants_xmp = options.digital_source.is_some() || is_psd && (copyright.is_some() || artist.is_some());
    let photoshop = options.clipping_path.as_ref().map(photoshop::clipping_path);
    Ok(Metadata {
        dpi: options.dpi,
        icc,
        copyright,
        artist,
        xmp: wants_xmp.then(|| xmp(copyright, artist, options.digital_source)),
        photoshop,
    })
}

/// An XMP packet (ISO 16684-1) with rights, author and source type.
fn xmp(copyright: Option<&str>, artist: Option<&str>, source: Option<DigitalSource>) -> String {
    let mut out = String::from(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
         xmlns:xmpRights=\"http://ns.adobe.com/xap/1.0/rights/\" \
         xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\">",
    );
    // Writing into a text cannot fail.
    if let Some(notice) = copyright {
        let _ = write!(
            out,
            "<xmpRights:Marked>True</xmpRights:Marked><dc:rights><rdf:Alt><rdf:li xml:lang=\"x-default\">{}</rdf:li>\
             </rdf:Alt></dc:rights>",
            escaped(notice)
        );
    }
    if let Some(artist) = artist {
        let _ =
            write!(out, "<dc:creator><rdf:Seq><rdf:li>{}</rdf:li></rdf:Seq></dc:creator>", escaped(artist));
    }
    if let Some(source) = source {
        let _ =
            write!(out, "<Iptc4xmpExt:DigitalSourceType>{}</Iptc4xmpExt:DigitalSourceType>", source.uri());
    }
    out.push_str("</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>");
    out
}

/// A text that XML can hold.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| matches!(c, '&' | '<' | '>') || c.is_control()) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xmp_holds_any_text() {
        let packet = xmp(Some("© A & B <c>\u{1}"), Some("Mara"), Some(DigitalSource::HumanEdits));
        assert!(packet.contains("© A &amp; B &lt;c&gt; </rdf:li>"));
        assert!(packet.contains("digitalsourcetype/humanEdits<"));
        assert!(packet.contains("<dc:creator><rdf:Seq><rdf:li>Mara<"));
    }
}
