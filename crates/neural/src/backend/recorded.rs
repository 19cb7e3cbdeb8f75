//! Plays back outputs that a real runtime computed earlier, and records them: tests and golden pictures without weights.
//!
//! One file an output, `<folder>/<model id>/<SHA-256 of model id and input>.out`: a line of JSON (shape, encoding,
//! what recorded it), then the zlib-compressed values. Values from 0 to 1 are kept in steps of 1/65535.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Backend, BackendInfo, BackendKind, Precision};
use crate::{NeuralError, Tensor, record};

/// Plays back recorded outputs of one model.
pub struct Recorded {
    folder: PathBuf,
    model: String,
}

/// Runs another backend and records each of its outputs.
pub struct Recorder {
    inner: Box<dyn Backend>,
    folder: PathBuf,
    model: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    model: String,
    shape: Vec<usize>,
    encoding: Encoding,
    recorded_with: String,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    /// Little-endian 16-bit steps of 0..1, each row stored as differences to the value on its left.
    Unit16,
    /// Little-endian IEEE 754 single precision.
    F32,
}

impl Recorded {
    /// Plays back outputs of `model` from `folder`.
    pub fn new(folder: &Path, model: &str) -> Self {
        Self { folder: folder.to_owned(), model: model.to_owned() }
    }

    /// Says whether anything is recorded for the model.
    pub fn has_any(&self) -> bool {
        fs::read_dir(self.folder.join(&self.model)).is_ok_and(|mut entries| entries.next().is_some())
    }
}

impl Backend for Recorded {
    fn run(&self, input: &Tensor) -> Result<Tensor, NeuralError> {
        let path = path_of(&self.folder, &self.model, input);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(NeuralError::NotRecorded { model: self.model.clone(), path });
            }
            Err(error) => return Err(unusable("read", &path, error)),
        };
        decode(&bytes).map_err(|detail| unusable("read", &path, detail))
    }

    fn describe(&self) -> BackendInfo {
        BackendInfo { kind: BackendKind::Recorded, version: "1".into(), precision: Precision::F32 }
    }
}

impl Recorder {
    /// Records the outputs of `inner`, which runs `model`, into `folder`.
    pub fn new(inner: Box<dyn Backend>, folder: &Path, model: &str) -> Self {
        Self { inner, folder: folder.to_owned(), model: model.to_owned() }
    }
}

impl Backend for Recorder {
    fn run(&self, input: &Tensor) -> Result<Tensor, NeuralError> {
        let output = self.inner.run(input)?;
        let path = path_of(&self.folder, &self.model, input);
        let bytes = encode(&output, &self.model, &self.inner.describe().to_string());
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            // Renamed whole, so that a reader at the same time never sees half a file.
            let partial = record::partial_of(&path);
            fs::write(&partial, bytes)?;
            fs::rename(partial, &path)
        };
        write().map_err(|error| unusable("write", &path, error))?;
        // What is played back later is what is given now, rounding included.
        Recorded::new(&self.folder, &self.model).run(input)
    }

    fn describe(&self) -> BackendInfo {
        self.inner.describe()
    }
}

fn path_of(folder: &Path, model: &str, input: &Tensor) -> PathBuf {
    let mut hash = Sha256::new();
    hash.update(model.as_bytes());
    hash.update([0]);
    for side in input.shape() {
        hash.update((*side as u64).to_le_bytes());
    }
    for value in input.data() {
        hash.update(value.to_le_bytes());
    }
    folder.join(model).join(format!("{}.out", hex::encode(hash.finalize())))
}

fn encode(output: &Tensor, model: &str, recorded_with: &str) -> Vec<u8> {
    let is_unit = output.data().iter().all(|value| (0.0..=1.0).contains(value));
    let encoding = if is_unit { Encoding::Unit16 } else { Encoding::F32 };
    let header = Header {
        model: model.to_owned(),
        shape: output.shape().to_vec(),
        encoding,
        recorded_with: recorded_with.to_owned(),
    };
    let mut bytes = serde_json::to_vec(&header).expect("a header of texts and numbers is JSON");
    bytes.push(b'\n');
    let values: Vec<u8> = match encoding {
        Encoding::F32 => output.data().iter().flat_map(|value| value.to_le_bytes()).collect(),
        Encoding::Unit16 => {
            let row = output.shape().last().copied().unwrap_or(1).max(1);
            let step = |value: f32| (f64::from(value) * 65535.0).round() as u16;
            output
                .data()
                .chunks(row)
                .flat_map(|row| {
                    let mut left = 0;
                    row.iter().map(move |value| {
                        let here = step(*value);
                        let difference = here.wrapping_sub(left);
                        left = here;
                        difference.to_le_bytes()
                    })
                })
                .flatten()
                .collect()
        }
    };
    let mut compressed = ZlibEncoder::new(bytes, Compression::best());
    compressed
        .write_all(&values)
        .and_then(|()| compressed.finish())
        .expect("writing into memory does not fail")
}

fn decode(bytes: &[u8]) -> Result<Tensor, String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it has no header")?;
    let header: Header = serde_json::from_slice(&bytes[..end]).map_err(|error| error.to_string())?;
    let count =
        header.shape.iter().try_fold(1usize, |all, side| all.checked_mul(*side)).ok_or("it is too large")?;
    let width = match header.encoding {
        Encoding::Unit16 => 2,
        Encoding::F32 => 4,
    };
    let mut raw = Vec::new();
    ZlibDecoder::new(&bytes[end + 1..])
        .take((count as u64).saturating_mul(width).saturating_add(1))
        .read_to_end(&mut raw)
        .map_err(|error| error.to_string())?;
    let data: Vec<f32> = match header.encoding {
        Encoding::F32 => raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        Encoding::Unit16 => {
            let row = header.shape.last().copied().unwrap_or(1).max(1);
            raw.chunks(row * 2)
                .flat_map(|row| {
                    let mut here = 0u16;
                    row.chunks_exact(2).map(move |b| {
                        here = here.wrapping_add(u16::from_le_bytes([b[0], b[1]]));
                        (f64::from(here) / 65535.0) as f32
                    })
                })
                .collect()
        }
    };
    Tensor::new(header.shape, data).map_err(|error| error.to_string())
}

fn unusable(what: &'static str, path: &Path, detail: impl std::fmt::Display) -> NeuralError {
    NeuralError::Recording { what, path: path.to_owned(), detail: detail.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the mean of each input row, or that times ten.
    struct Means(f32);

    impl Backend for Means {
        fn run(&self, input: &Tensor) -> Result<Tensor, NeuralError> {
            let width = *input.shape().last().unwrap();
            let data: Vec<f32> = input
                .data()
                .chunks(width)
                .flat_map(|row| std::iter::repeat_n(self.0 * row.iter().sum::<f32>() / width as f32, width))
                .collect();
            Tensor::new(input.shape().to_vec(), data)
        }

        fn describe(&self) -> BackendInfo {
            BackendInfo { kind: BackendKind::Rten, version: "0".into(), precision: Precision::F32 }
        }
    }

    fn input(seed: f32) -> Tensor {
        Tensor::new(vec![1, 1, 4, 8], (0..32).map(|i| (i as f32 * 0.03 + seed) % 1.0).collect()).unwrap()
    }

    #[test]
    fn what_was_recorded_is_played_back() {
        for (factor, tolerance) in [(1.0, 0.5 / 65535.0), (10.0, 0.0)] {
            let folder = tempfile::tempdir().unwrap();
            let recorder = Recorder::new(Box::new(Means(factor)), folder.path(), "net");
            let recorded = recorder.run(&input(0.1)).unwrap();
            let player = Recorded::new(folder.path(), "net");
            assert!(player.has_any());
            let played = player.run(&input(0.1)).unwrap();
            assert_eq!(played, recorded);
            let exact = Means(factor).run(&input(0.1)).unwrap();
            assert_eq!(played.shape(), exact.shape());
            for (a, b) in played.data().iter().zip(exact.data()) {
                assert!((a - b).abs() <= tolerance + 1e-7, "{a} {b}");
            }
        }
    }

    #[test]
    fn another_input_or_another_model_is_not_recorded() {
        let folder = tempfile::tempdir().unwrap();
        Recorder::new(Box::new(Means(1.0)), folder.path(), "net").run(&input(0.1)).unwrap();
        let other = Recorded::new(folder.path(), "net").run(&input(0.2)).unwrap_err();
        assert!(matches!(other, NeuralError::NotRecorded { .. }), "{other}");
        let player = Recorded::new(folder.path(), "other");
        assert!(!player.has_any());
        assert!(matches!(player.run(&input(0.1)), Err(NeuralError::NotRecorded { .. })));
    }

    #[test]
    fn a_damaged_recording_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Recorder::new(Box::new(Means(1.0)), folder.path(), "net").run(&input(0.1)).unwrap();
        let path = path_of(folder.path(), "net", &input(0.1));
        let whole = fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() / 2], &whole[..10], b"{}\n"] {
            fs::write(&path, damaged).unwrap();
            let error = Recorded::new(folder.path(), "net").run(&input(0.1)).unwrap_err();
            assert!(matches!(error, NeuralError::Recording { what: "read", .. }), "{error}");
        }
    }
}
