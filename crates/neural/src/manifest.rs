//! The list of models and runtime packs that may be fetched: `models.toml`, built into the binary.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{InputSpec, ModelError, OutputSpec};

const EMBEDDED: &str = include_str!("../models.toml");

/// Every model and runtime pack, best candidate of each task first.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The networks.
    #[serde(rename = "model", default)]
    pub models: Vec<Model>,
    /// The native runtimes.
    #[serde(rename = "runtime", default)]
    pub runtimes: Vec<RuntimePack>,
}

/// What a network is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Separates the product from what is around it: a picture in, alpha out.
    CutOut,
    /// Enlarges: a picture of any size in, one several times larger out.
    Upscale,
    /// Finds faces: a picture in; for each of many places the box of a face there, points on it, and a score out.
    FaceFinder,
    /// Lays a mesh over one face: its picture, upright, in; the mesh's points and whether it is a face out.
    FaceMesh,
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 4] = [Self::CutOut, Self::Upscale, Self::FaceFinder, Self::FaceMesh];

    /// Returns the task as a reader says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CutOut => "cut-outs",
            Self::Upscale => "enlarging",
            Self::FaceFinder => "finding faces",
            Self::FaceMesh => "meshes of faces",
        }
    }
}

/// The format of a published model file; every file is kept as ONNX.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileFormat {
    /// Kept as it is, without the outputs that nobody reads.
    #[default]
    Onnx,
    /// The layers model of TensorFlow.js, made from Keras: `model.json` and then its shards, converted when it is
    /// fetched.
    Keras,
    /// TensorFlow Lite, converted when it is fetched; several results become one, one after another along their last
    /// dimension.
    Tflite,
}

/// One network: where it comes from, what it must be, and how it is fed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The name used everywhere.
    pub id: String,
    /// What it is, for people.
    pub title: String,
    /// What it is for.
    pub task: Task,
    /// The package that holds the weights.
    pub source: Source,
    /// Licence of the weights, as far as it is known.
    pub licence: String,
    /// What is doubtful about the licence.
    #[serde(default)]
    pub licence_note: Option<String>,
    /// Members of the archive that, one after another, are the published model file.
    pub members: Vec<String>,
    /// The published model file.
    pub published: FileMark,
    /// The format of the published file.
    #[serde(default)]
    pub format: FileFormat,
    /// The file that is kept: the published one as ONNX with only the wanted output (see [`OutputSpec::name`]).
    pub kept: FileMark,
    /// Whether the network keeps its quality when computed in bfloat16.
    pub bf16: bool,
    /// Whether it is so small that a native runtime is not worth its fetch and its start.
    #[serde(default)]
    pub tiny: bool,
    /// What it takes.
    pub input: InputSpec,
    /// What it gives.
    pub output: OutputSpec,
    /// What it must give for the self-test picture; a model without one is not tested.
    #[serde(default)]
    pub golden: Option<Golden>,
}

/// A set of native libraries that runs networks faster.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimePack {
    /// The name used everywhere.
    pub id: String,
    /// What it is, for people.
    pub title: String,
    /// The package that holds the libraries.
    pub source: Source,
    /// Licence of the libraries.
    pub licence: String,
    /// What is doubtful about the licence.
    #[serde(default)]
    pub licence_note: Option<String>,
    /// The machine it runs on, as operating system, processor and C library: `linux-x86_64-gnu`.
    pub platform: String,
    /// The library to load; it finds the others beside it.
    pub library: String,
    /// The files that are kept, all in one folder.
    pub files: Vec<PackFile>,
}

/// One file of a runtime pack.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackFile {
    /// The member of the archive; its last part is the name of the file that is kept.
    pub member: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// A package of a public registry, and the client that fetches it; the client knows where its registry is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The client.
    pub client: Client,
    /// The package's name.
    pub package: String,
    /// The exact version.
    pub version: String,
    /// For pip: the Python version whose wheel is taken, so that every machine gets the same file.
    #[serde(default)]
    pub python_version: Option<String>,
    /// For pip: the platform whose wheel is taken.
    #[serde(default)]
    pub platform: Option<String>,
    /// The archive the client must bring.
    pub archive: FileMark,
}

/// A package client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Client {
    /// Brings a gzipped tar archive.
    Npm,
    /// Brings a wheel, which is a zip archive.
    Pip,
}

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMark {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// What a network must give for the self-test picture: the mean alpha of each cell of a 16 by 16 grid over the output,
/// or values spread evenly over an output that is no alpha.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Largest difference allowed in single precision.
    pub tolerance_f32: f32,
    /// Largest difference allowed in bfloat16.
    pub tolerance_bf16: f32,
    /// Sixteen rows of sixteen cells, in ten-thousandths; for alpha.
    #[serde(default)]
    pub rows: Vec<Vec<u16>>,
    /// Evenly spread values, as the network gives them; for an output that is no alpha.
    #[serde(default)]
    pub values: Vec<f32>,
}

impl Golden {
    /// Lists the expected values in the order of the self-test.
    pub(crate) fn expected(&self) -> Vec<f32> {
        let cells = self.rows.iter().flatten().map(|cell| f32::from(*cell) / 10_000.0);
        cells.chain(self.values.iter().copied()).collect()
    }
}

/// A model or a runtime pack, where the difference does not matter.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// A network.
    Model(&'a Model),
    /// A runtime pack.
    Pack(&'a RuntimePack),
}

impl Manifest {
    /// Returns the manifest built into the binary.
    pub fn embedded() -> Self {
        Self::parse(EMBEDDED).expect("the embedded manifest is checked by a test")
    }

    /// Reads a manifest and checks that it makes sense.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let manifest: Self = toml::from_str(text).map_err(|error| ModelError::Manifest(error.to_string()))?;
        let mut ids = BTreeSet::new();
        for item in manifest.items() {
            item.check().map_err(|what| ModelError::Manifest(format!("`{}`: {what}", item.id())))?;
            if !ids.insert(item.id()) {
                return Err(ModelError::Manifest(format!("`{}` is there twice", item.id())));
            }
        }
        Ok(manifest)
    }

    /// Lists all models, then all runtime packs.
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> {
        self.models.iter().map(Item::Model).chain(self.runtimes.iter().map(Item::Pack))
    }

    /// Finds a model or runtime pack by its id.
    pub fn find(&self, id: &str) -> Result<Item<'_>, ModelError> {
        self.items().find(|item| item.id() == id).ok_or_else(|| ModelError::Unknown {
            id: id.to_owned(),
            known: self.items().map(|item| format!("`{}`", item.id())).collect::<Vec<_>>().join(", "),
        })
    }
}

impl<'a> Item<'a> {
    /// Returns the id.
    pub fn id(self) -> &'a str {
        match self {
            Self::Model(model) => &model.id,
            Self::Pack(pack) => &pack.id,
        }
    }

    /// Returns the title for people.
    pub fn title(self) -> &'a str {
        match self {
            Self::Model(model) => &model.title,
            Self::Pack(pack) => &pack.title,
        }
    }

    /// Returns the package it comes from.
    pub fn source(self) -> &'a Source {
        match self {
            Self::Model(model) => &model.source,
            Self::Pack(pack) => &pack.source,
        }
    }

    /// Returns the licence and the note on what is doubtful about it.
    pub fn licence(self) -> (&'a str, Option<&'a str>) {
        match self {
            Self::Model(model) => (&model.licence, model.licence_note.as_deref()),
            Self::Pack(pack) => (&pack.licence, pack.licence_note.as_deref()),
        }
    }

    /// Returns the SHA-256 that names its folder: of the kept file, or of a pack's archive.
    pub fn sha256(self) -> &'a str {
        match self {
            Self::Model(model) => &model.kept.sha256,
            Self::Pack(pack) => &pack.source.archive.sha256,
        }
    }

    /// Lists the files that are kept: name, SHA-256, size in bytes.
    pub(crate) fn files(self) -> Vec<(&'a str, &'a str, u64)> {
        match self {
            Self::Model(model) => vec![(MODEL_FILE, &model.kept.sha256, model.kept.bytes)],
            Self::Pack(pack) => {
                pack.files.iter().map(|file| (file.name(), file.sha256.as_str(), file.bytes)).collect()
            }
        }
    }

    /// Returns the size of the kept files together, in bytes.
    pub fn bytes(self) -> u64 {
        self.files().iter().map(|(_, _, bytes)| bytes).sum()
    }

    /// Says whether it can be used on the machine this program was built for.
    pub fn fits_this_machine(self) -> bool {
        match self {
            Self::Model(_) => true,
            Self::Pack(pack) => pack.platform == crate::cpu::PLATFORM,
        }
    }

    fn check(self) -> Result<(), String> {
        let is_hash =
            |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let mut hashes = vec![self.source().archive.sha256.as_str()];
        hashes.extend(self.files().iter().map(|(_, sha256, _)| *sha256));
        if let Self::Model(model) = self {
            hashes.push(&model.published.sha256);
            if model.members.is_empty() {
                return Err("names no members".into());
            }
            if let Some(golden) = &model.golden {
                let is_grid = golden.rows.len() == 16 && golden.rows.iter().all(|row| row.len() == 16);
                match &model.output.shape {
                    None if !is_grid || !golden.values.is_empty() => {
                        return Err("the golden grid is not 16 by 16".into());
                    }
                    Some(_) if golden.values.len() != GOLDEN_VALUES || !golden.rows.is_empty() => {
                        return Err(format!("it has no {GOLDEN_VALUES} golden values"));
                    }
                    _ => {}
                }
            }
        }
        if let Some(wrong) = hashes.into_iter().find(|hash| !is_hash(hash)) {
            return Err(format!("`{wrong}` is no SHA-256 in lower-case hexadecimal"));
        }
        if let Self::Pack(pack) = self
            && !pack.files.iter().any(|file| file.name() == pack.library)
        {
            return Err(format!("library `{}` is not among its files", pack.library));
        }
        Ok(())
    }
}

/// How many values of an output that is no alpha the self-test looks at.
pub(crate) const GOLDEN_VALUES: usize = 32;

/// Name of the one file a model is kept as.
pub(crate) const MODEL_FILE: &str = "model.onnx";

impl PackFile {
    /// Returns the name of the file that is kept.
    pub fn name(&self) -> &str {
        self.member.rsplit('/').next().unwrap_or(&self.member)
    }
}

impl Source {
    /// Returns the package with its version, as its client writes it.
    pub fn pinned(&self) -> String {
        match self.client {
            Client::Npm => format!("{}@{}", self.package, self.version),
            Client::Pip => format!("{}=={}", self.package, self.version),
        }
    }
}

impl Client {
    /// Returns the client's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pip => "pip",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_manifest_is_whole() {
        let manifest = Manifest::parse(EMBEDDED).unwrap();
        let ids: Vec<_> = manifest.items().map(Item::id).collect();
        assert_eq!(ids, ["isnet-1024", "u2netp", "esrgan-thick", "blazeface", "facemesh", "openvino"]);
        for model in &manifest.models {
            assert!(model.golden.is_some(), "{} cannot be tested", model.id);
        }
        let isnet = &manifest.models[0];
        assert!(isnet.licence_note.is_some(), "the doubt about the weights must be said");
        assert_eq!(isnet.members.len(), 22);
        assert_eq!(manifest.runtimes[0].library, "libopenvino_c.so.2641");
    }

    #[test]
    fn no_registry_is_named() {
        assert!(!EMBEDDED.contains("://"), "the client knows its registry");
    }

    #[test]
    fn an_unknown_id_lists_the_known_ones() {
        let error = Manifest::embedded().find("isnet").unwrap_err().to_string();
        let known = "`isnet-1024`, `u2netp`, `esrgan-thick`, `blazeface`, `facemesh`, `openvino`";
        assert_eq!(error, format!("no model is called `isnet`; there are {known}"));
    }

    #[test]
    fn a_wrong_manifest_is_refused() {
        let good = EMBEDDED;
        for (from, to) in [
            ("sha256 = \"0", "sha256 = \"X"),
            ("id = \"u2netp\"", "id = \"isnet-1024\""),
            ("library = \"lib", "library = \"other"),
            ("bf16 = true", "bf16 = true\nsurprise = 1"),
        ] {
            let wrong = good.replacen(from, to, 1);
            assert_ne!(wrong, good, "`{from}` is not in the manifest");
            assert!(matches!(Manifest::parse(&wrong), Err(ModelError::Manifest(_))), "{to}");
        }
    }
}
