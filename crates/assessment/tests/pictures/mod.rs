//! A product before white, and pictures made from it to fail exactly one measure each.

use assessment::{EncodedFile, Quantisation, Task};
use pixels::{
    Bitmap, Channels, DecodeOptions, EncodeOptions, Encoding, Format, Samples, Subsampling, decode, encode,
};

/// A picture with what it was made to fail.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// The code of the one measure that fails; `None` of a picture that passes everything.
    pub fails: Option<&'static str>,
    /// What it is meant for.
    pub task: Task,
    /// The picture.
    pub picture: Bitmap,
    /// The photograph that it was made from.
    pub reference: Bitmap,
    /// The file it came in.
    pub file: EncodedFile,
}

/// A scene of one product.
#[derive(Clone, Copy)]
struct Shot {
    width: u32,
    height: u32,
    /// Middle of the product in pixels.
    middle: (f32, f32),
    /// Height of the product in pixels.
    tall: f32,
    /// Sigma of every edge, in pixels.
    blur: f32,
    /// Standard deviation of the grain on the product, in levels.
    grain: f32,
    /// sRGB of the backdrop at a place in shares of the sides.
    backdrop: fn(f32, f32) -> [f32; 3],
    /// Changes the product's colour at a place: in heights of the product from its middle, then its signed distance from
    /// the outline in pixels (negative inside).
    paint: fn([f32; 3], f32, f32, f32) -> [f32; 3],
    /// A ring around the product: width in pixels and colour.
    ring: Option<(f32, [f32; 3])>,
}

const SHOT: Shot = Shot {
    width: 1200,
    height: 1200,
    middle: (600.0, 600.0),
    tall: 1010.0,
    blur: 0.8,
    grain: 1.0,
    backdrop: |_, _| [255.0; 3],
    paint: |colour, _, _, _| colour,
    ring: None,
};

/// A signed distance from a box with round corners.
fn rounded(x: f32, y: f32, half: (f32, f32), radius: f32) -> f32 {
    let (dx, dy) = (x.abs() - half.0 + radius, y.abs() - half.1 + radius);
    dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
}

/// How much of an edge blurred by `sigma` covers a place at that distance; a logistic curve stands for the error function.
fn cover(distance: f32, sigma: f32) -> f32 {
    match distance / sigma {
        far if far > 12.0 => 0.0,
        far if far < -12.0 => 1.0,
        near => 1.0 / (1.0 + (1.702 * near).exp()),
    }
}

fn mix(under: [f32; 3], over: [f32; 3], share: f32) -> [f32; 3] {
    [0, 1, 2].map(|c| under[c] + (over[c] - under[c]) * share)
}

fn scrambled(value: u64) -> u64 {
    // SplitMix64.
    let mut z = value.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// About normal, with a standard deviation of 1.
fn chance(at: u64) -> f32 {
    (0..4).map(|k| (scrambled(4 * at + k) >> 40) as f32 / (1u64 << 24) as f32 - 0.5).sum::<f32>()
        * 3f32.sqrt()
}

impl Shot {
    /// Signed distance of a place from the outline, in pixels.
    fn outline(&self, x: f32, y: f32) -> f32 {
        let tall = self.tall;
        let (x, y) = (x - self.middle.0, y - self.middle.1);
        let body = rounded(x, y - 0.06 * tall, (0.28 * tall, 0.44 * tall), 0.06 * tall);
        let cap = rounded(x, y + 0.44 * tall, (0.14 * tall, 0.06 * tall), 0.015 * tall);
        body.min(cap)
    }

    /// The product's colour at a place in heights of it from its middle: a jar with a cap and a printed label.
    fn product(&self, u: f32, v: f32) -> [f32; 3] {
        let sigma = self.blur / self.tall;
        let round = 0.55 + 0.45 * (u / 0.28 * 1.2).cos();
        let body = [84.0, 126.0, 152.0].map(|c| c * round);
        let cap = [196.0, 152.0, 76.0].map(|c| c * (0.6 + 0.4 * (u / 0.14 * 1.1).cos()));
        let mut colour = mix(body, cap, cover(v + 0.385, sigma));
        let label = rounded(u, v - 0.1, (0.2, 0.2), 0.01);
        let paper = [228.0, 222.0, 206.0].map(|c| c * (0.8 + 0.2 * round));
        colour = mix(colour, paper, cover(label, sigma));
        // Lines of print, each of words of several lengths.
        for line in 0..7 {
            let top = -0.07 + 0.05 * line as f32;
            let mut left = -0.17;
            for word in 0..6 {
                let long = 0.02 + 0.05 * (scrambled(line * 16 + word) % 100) as f32 / 100.0;
                if left + long > 0.17 {
                    break;
                }
                let bar = rounded(u - left - long / 2.0, v - top - 0.012, (long / 2.0, 0.012), 0.004);
                colour = mix(colour, [44.0, 40.0, 52.0], cover(bar, sigma));
                left += long + 0.012;
            }
        }
        colour
    }

    /// Red, green, blue and coverage, each at the pixels' middles.
    fn planes(&self) -> Vec<([f32; 3], [f32; 3], f32)> {
        let mut out = Vec::with_capacity((self.width * self.height) as usize);
        for y in 0..self.height {
            for x in 0..self.width {
                let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
                let distance = self.outline(px, py);
                let (u, v) = ((px - self.middle.0) / self.tall, (py - self.middle.1) / self.tall);
                let mut backdrop = (self.backdrop)(px / self.width as f32, py / self.height as f32);
                if let Some((width, colour)) = self.ring {
                    backdrop = mix(backdrop, colour, cover(distance - width, self.blur));
                }
                let share = cover(distance, self.blur);
                let product = if share > 0.0 {
                    let grain = self.grain * chance(u64::from(y) << 32 | u64::from(x));
                    (self.paint)(self.product(u, v), u, v, distance).map(|c| c + grain)
                } else {
                    [0.0; 3]
                };
                out.push((product, backdrop, share));
            }
        }
        out
    }

    /// The picture, opaque.
    fn photograph(&self) -> Bitmap {
        let samples = self.planes().into_iter().flat_map(|(product, backdrop, share)| {
            mix(backdrop, product, share).map(|c| c.round().clamp(0.0, 255.0) as u8)
        });
        Bitmap::from_u8(self.width, self.height, Channels::Rgb, samples.collect()).expect("the right number")
    }

    /// The product alone, on transparency; `veil` is the least alpha and `hidden` the colour of what is clear.
    fn cut_out(&self, veil: u8, hidden: [u8; 3]) -> Bitmap {
        let samples = self.planes().into_iter().flat_map(|(product, _, share)| {
            let alpha = ((share * 255.0).round() as u8).max(veil);
            let [r, g, b] = product.map(|c| c.round().clamp(0.0, 255.0) as u8);
            if alpha == 0 { [hidden[0], hidden[1], hidden[2], 0] } else { [r, g, b, alpha] }
        });
        Bitmap::from_u8(self.width, self.height, Channels::Rgba, samples.collect()).expect("the right number")
    }
}

/// The product, of a softly mottled material, with its inside taken from a coarse JPEG of it.
fn blocked() -> Bitmap {
    let shot = Shot {
        paint: |colour, u, v, _| {
            let mottle = 16.0 * (u * 130.0).sin() * (v * 110.0).sin();
            colour.map(|c| c + mottle)
        },
        ..SHOT
    };
    let clean = shot.photograph();
    let encoding =
        Encoding::Jpeg { quality: 10, subsampling: Subsampling::S444, progressive: false, optimise: false };
    let bytes = encode(&clean, &EncodeOptions::new(encoding)).expect("a file");
    let coarse = decode(&bytes, &DecodeOptions::default()).expect("a picture").bitmap;
    let (Samples::U8(mut samples), Samples::U8(coarse)) = (clean.into_samples(), coarse.into_samples())
    else {
        panic!("8 bit");
    };
    for (at, pixel) in samples.chunks_exact_mut(3).enumerate() {
        let (x, y) = (at as u32 % shot.width, at as u32 / shot.width);
        if shot.outline(x as f32 + 0.5, y as f32 + 0.5) < -6.0 {
            pixel.copy_from_slice(&coarse[3 * at..3 * at + 3]);
        }
    }
    Bitmap::from_u8(shot.width, shot.height, Channels::Rgb, samples).expect("the right number")
}

fn png() -> EncodedFile {
    EncodedFile { format: Some(Format::Png), bytes: 1_000_000, quantisation: None }
}

/// Every case, deterministic; the first of each task passes everything.
pub fn cases() -> Vec<Case> {
    // What came from the camera: grey, and from farther away.
    let reference = Shot { backdrop: |_, _| [208.0, 208.0, 212.0], tall: 700.0, ..SHOT }.photograph();
    let shot = |name, fails: &'static str, shot: Shot| Case {
        name,
        fails: Some(fails),
        task: Task::ProductPhotography,
        picture: shot.photograph(),
        reference: reference.clone(),
        file: png(),
    };
    let coarse_table = {
        let encoding = Encoding::Jpeg {
            quality: 60,
            subsampling: Subsampling::S444,
            progressive: false,
            optimise: false,
        };
        let bytes = encode(&SHOT.photograph(), &EncodeOptions::new(encoding)).expect("a file");
        EncodedFile::of(&bytes)
    };
    assert!(matches!(coarse_table.quantisation, Some(Quantisation(_))));
    let mut cases = vec![
        Case { fails: None, ..shot("clean", "", SHOT) },
        shot(
            "busy_backdrop",
            "background_plainness",
            Shot {
                backdrop: |x, y| {
                    let (x, y) = ((x * 80.0).floor(), (y * 80.0).floor());
                    [225.0 + 26.0 * chance((x * 1000.0 + y) as u64).clamp(-1.0, 1.0); 3]
                },
                ..SHOT
            },
        ),
        shot(
            "interrupted_backdrop",
            "background_extent",
            Shot { backdrop: |x, _| [if x < 0.38 { 96.0 } else { 255.0 }; 3], ..SHOT },
        ),
        shot(
            "off_white_backdrop",
            "background_purity",
            Shot { backdrop: |_, _| [247.0, 247.0, 245.0], ..SHOT },
        ),
        shot(
            "uneven_backdrop",
            "background_uniformity",
            Shot { backdrop: |x, _| [255.0 - 60.0 * (x - 0.55).max(0.0).powi(2) / 0.2; 3], ..SHOT },
        ),
        shot("cut_off", "subject_cut_off", Shot { tall: 1160.0, middle: (600.0, 670.0), ..SHOT }),
        shot("too_small", "subject_fill", Shot { tall: 620.0, ..SHOT }),
        shot("off_centre", "subject_centring", Shot { middle: (700.0, 600.0), ..SHOT }),
        shot("halo", "edge_halo", Shot { ring: Some((5.0, [176.0, 177.0, 180.0])), ..SHOT }),
        shot(
            "fringe",
            "edge_fringe",
            Shot {
                paint: |colour, _, _, distance| {
                    let share = (-((distance + 2.5) / 2.2).powi(2)).exp();
                    let [r, g, b] = colour;
                    [r + 52.0 * share, g - 21.0 * share, b + 56.0 * share]
                },
                ..SHOT
            },
        ),
        shot("blurred", "sharpness", Shot { blur: 4.5, ..SHOT }),
        shot("dark", "exposure", Shot { paint: |colour, _, _, _| colour.map(|c| 8.0 + 0.08 * c), ..SHOT }),
        shot(
            "clipped_highlights",
            "clipped_highlights",
            Shot {
                paint: |colour, u, v, _| {
                    let share = 1.6 * (-((u / 0.16).powi(2) + ((v - 0.36) / 0.09).powi(2))).exp();
                    mix(colour, [255.0; 3], share.min(1.0)).map(|c| if share >= 1.0 { 300.0 } else { c })
                },
                ..SHOT
            },
        ),
        shot(
            "clipped_shadows",
            "clipped_shadows",
            Shot {
                paint: |colour, u, v, _| {
                    let share = 2.5 * (-((u / 0.2).powi(4) + ((v + 0.23) / 0.1).powi(4))).exp();
                    mix(colour, [0.0; 3], share.min(1.0)).map(|c| if share >= 1.0 { -40.0 } else { c })
                },
                ..SHOT
            },
        ),
        shot("noise", "noise", Shot { grain: 7.0, ..SHOT }),
        Case { file: coarse_table, ..shot("coarse_jpeg", "jpeg_quality", SHOT) },
        Case { picture: blocked(), ..shot("blocks", "compression_blocking", SHOT) },
        shot(
            "low_resolution",
            "resolution",
            Shot { width: 640, height: 640, middle: (320.0, 320.0), tall: 540.0, ..SHOT },
        ),
        shot("wide", "aspect_ratio", Shot { width: 2600, middle: (1300.0, 600.0), ..SHOT }),
        Case { reference: SHOT.photograph(), ..shot("unchanged", "change_from_input", SHOT) },
        Case {
            picture: Bitmap::from_u8(1200, 1200, Channels::Rgb, vec![255; 1200 * 1200 * 3])
                .expect("the right number"),
            ..shot("empty", "subject_presence", SHOT)
        },
    ];
    let cut = |name, fails: Option<&'static str>, picture: Bitmap| Case {
        name,
        fails,
        task: Task::CutOut,
        picture,
        reference: reference.clone(),
        file: png(),
    };
    cases.push(cut("clean_cut_out", None, SHOT.cut_out(0, [0; 3])));
    cases.push(cut("opaque_cut_out", Some("transparency"), SHOT.photograph()));
    cases.push(cut("veiled_cut_out", Some("background_residue"), SHOT.cut_out(9, [0; 3])));
    cases.push(cut("coloured_under_alpha", Some("hidden_colour"), SHOT.cut_out(0, [208, 208, 212])));
    cases
}
