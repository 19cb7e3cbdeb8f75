//! Real networks on real runtimes. The models folder is `PACKSHOT_TEST_MODELS`, else the user's cache; the small
//! network is fetched into it when it is not there, the large one and the runtime pack are used when they are.

use std::path::PathBuf;

use neural::{
    Backend, BackendChoice, BackendKind, ModelError, ModelStore, Network, NeuralError, Precision, Runtime,
    RuntimeOptions, Status, Task, Tensor,
};

fn models_dir() -> PathBuf {
    let cache = || {
        let home = || PathBuf::from(std::env::var_os("HOME").expect("a home folder")).join(".cache");
        std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("packshot/models")
    };
    std::env::var_os("PACKSHOT_TEST_MODELS").map_or_else(cache, PathBuf::from)
}

fn options() -> RuntimeOptions {
    RuntimeOptions { offline: true, ..RuntimeOptions::new(models_dir()) }
}

fn is_there(id: &str) -> bool {
    let status = ModelStore::new(models_dir()).status(id).unwrap();
    matches!(status, Status::Ready | Status::Unchecked)
}

/// The small network on rten, from the models folder.
fn u2netp() -> RuntimeOptions {
    ModelStore::new(models_dir()).fetch("u2netp", &mut |_| {}).unwrap();
    RuntimeOptions { backend: BackendChoice::Rten, prefer: Some("u2netp".into()), strict: true, ..options() }
}

/// A dark square on white, as the network's input; and the square's pixels.
fn square(network: &Network, side: usize) -> (Tensor, Vec<bool>) {
    let (width, height) = (network.spec().width, network.spec().height);
    let middle = |at: usize, all: usize| at.abs_diff(all / 2) < side * all / 200;
    let inside: Vec<bool> =
        (0..width * height).map(|i| middle(i % width, width) && middle(i / width, height)).collect();
    let rgb: Vec<u8> =
        inside.iter().flat_map(|inside| if *inside { [40, 60, 110] } else { [250; 3] }).collect();
    (network.spec().tensor(&rgb).unwrap(), inside)
}

fn assert_square_is_cut_out(network: &Network) {
    let (input, inside) = square(network, 50);
    let alpha = network.run(&input).unwrap();
    assert_eq!(alpha.shape(), [network.spec().height, network.spec().width]);
    assert!(alpha.data().iter().all(|value| (0.0..=1.0).contains(value)));
    let wrong =
        alpha.data().iter().zip(&inside).filter(|(alpha, inside)| (**alpha > 0.5) != **inside).count();
    assert!(wrong * 100 < inside.len(), "{wrong} of {} pixels are on the wrong side", inside.len());
}

#[test]
fn the_small_network_cuts_out_on_rten() {
    let runtime = Runtime::new(u2netp()).unwrap();
    let network = runtime.cut_out().unwrap();
    assert_eq!((network.info().backend, network.info().precision), (BackendKind::Rten, Precision::F32));
    assert_eq!(network.info().fallback, None);
    assert_eq!(network.identity(), format!("u2netp@{}+rten-0.27.0+f32", network.info().sha256));
    assert_square_is_cut_out(&network);
    assert!(std::sync::Arc::ptr_eq(&network, &runtime.cut_out().unwrap()), "it is kept warm");
    let wrong = Tensor::new(vec![1, 3, 8, 8], vec![0.0; 192]).unwrap();
    assert!(matches!(network.run(&wrong), Err(NeuralError::Shape { .. })));
}

#[test]
fn the_small_network_verifies() {
    u2netp();
    let verified = ModelStore::new(models_dir()).verify("u2netp").unwrap();
    assert!(verified.self_tests.iter().any(|test| test.backend == "rten-0.27.0+f32"));
    for test in &verified.self_tests {
        assert!(test.difference <= test.tolerance, "{test:?}");
    }
}

#[test]
fn a_damaged_network_is_refused() {
    u2netp();
    let source = ModelStore::new(models_dir());
    let entry = source.list().into_iter().find(|entry| entry.id == "u2netp").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = ModelStore::new(folder.path());
    let copy = folder.path().join(&entry.sha256);
    std::fs::create_dir(&copy).unwrap();
    let file = copy.join("model.onnx");
    std::fs::copy(entry.path.join("model.onnx"), &file).unwrap();
    assert_eq!(
        store.status("u2netp").unwrap(),
        Status::Unchecked,
        "a copied folder is read before it is used"
    );

    let mut bytes = std::fs::read(&file).unwrap();
    bytes[1_000_000] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert!(matches!(store.verify("u2netp"), Err(ModelError::Mismatch { .. })));
    let damaged = RuntimeOptions { models_dir: folder.path().to_owned(), ..u2netp() };
    let reason = Runtime::new(damaged.clone()).unwrap().cut_out().unwrap_err();
    assert!(reason.to_string().contains("is not the pinned one"), "{reason}");

    bytes[1_000_000] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert!(Runtime::new(damaged.clone()).unwrap().cut_out().is_ok());
    assert_eq!(store.status("u2netp").unwrap(), Status::Ready);
    std::fs::write(&file, &bytes[..1000]).unwrap();
    assert!(matches!(store.status("u2netp").unwrap(), Status::Damaged { .. }));
    assert!(Runtime::new(damaged).unwrap().cut_out().is_err());
}

#[test]
fn recorded_outputs_stand_in_for_the_weights() {
    let recordings = tempfile::tempdir().unwrap();
    let record = RuntimeOptions { record: Some(recordings.path().to_owned()), ..u2netp() };
    let network = Runtime::new(record).unwrap().cut_out().unwrap();
    let (input, _) = square(&network, 50);
    let alpha = network.run(&input).unwrap();

    let empty = tempfile::tempdir().unwrap();
    let replay = RuntimeOptions {
        models_dir: empty.path().to_owned(),
        backend: BackendChoice::Recorded(recordings.path().to_owned()),
        ..options()
    };
    let played = Runtime::new(replay).unwrap().cut_out().unwrap();
    assert_eq!((played.info().id.as_str(), played.info().backend), ("u2netp", BackendKind::Recorded));
    assert_eq!(played.run(&input).unwrap(), alpha);
    let (other, _) = square(&played, 40);
    assert!(matches!(played.run(&other), Err(NeuralError::NotRecorded { .. })));
}

#[test]
fn without_weights_each_candidate_has_its_reason() {
    let empty = tempfile::tempdir().unwrap();
    let options = RuntimeOptions { models_dir: empty.path().to_owned(), ..options() };
    let reason = Runtime::new(options.clone()).unwrap().cut_out().unwrap_err();
    assert!(!reason.strict);
    assert_eq!(reason.reasons.len(), 2);
    assert!(reason.reasons[0].starts_with("`isnet-1024` is not in"), "{reason}");
    assert!(reason.reasons[1].starts_with("`u2netp` is not in"), "{reason}");
    let strict = RuntimeOptions { strict: true, ..options.clone() };
    let reason = Runtime::new(strict).unwrap().cut_out().unwrap_err();
    assert_eq!((reason.strict, reason.reasons.len()), (true, 1));
    let unknown = RuntimeOptions { prefer: Some("u3net".into()), ..options };
    assert!(matches!(Runtime::new(unknown), Err(ModelError::Unknown { .. })));
}

#[test]
fn a_second_choice_says_why_and_gives_way_to_the_first() {
    let all = ModelStore::new(models_dir());
    let small = RuntimeOptions { strict: false, prefer: None, ..u2netp() };
    let copy = |id: &str, folder: &std::path::Path| {
        let entry = all.list().into_iter().find(|entry| entry.id == id).unwrap();
        std::fs::create_dir(folder.join(&entry.sha256)).unwrap();
        std::fs::copy(entry.path.join("model.onnx"), folder.join(&entry.sha256).join("model.onnx")).unwrap();
    };
    let folder = tempfile::tempdir().unwrap();
    copy("u2netp", folder.path());
    let runtime = Runtime::new(RuntimeOptions { models_dir: folder.path().to_owned(), ..small }).unwrap();
    let network = runtime.cut_out().unwrap();
    assert_eq!(network.info().id, "u2netp");
    assert!(network.info().fallback.as_ref().unwrap().starts_with("`isnet-1024` is not in"));
    if is_there("isnet-1024") {
        copy("isnet-1024", folder.path());
        let network = runtime.cut_out().unwrap();
        assert_eq!((network.info().id.as_str(), &network.info().fallback), ("isnet-1024", &None));
    } else {
        eprintln!("not tested: `isnet-1024` is not in {}", models_dir().display());
    }
}

#[test]
fn openvino_agrees_with_rten() {
    let store = ModelStore::new(models_dir());
    for id in ["u2netp", "isnet-1024"] {
        if !is_there(id) || !is_there("openvino") {
            eprintln!("not tested: `{id}` and `openvino` are not both in {}", models_dir().display());
            continue;
        }
        let verified = store.verify(id).unwrap();
        assert!(verified.self_tests.iter().any(|test| test.backend.starts_with("openvino-")), "{verified:?}");
        let network = |backend, precision| {
            let options =
                RuntimeOptions { backend, precision, prefer: Some(id.into()), strict: true, ..options() };
            Runtime::new(options).unwrap().cut_out().unwrap()
        };
        let rten = network(BackendChoice::Rten, None);
        let openvino = network(BackendChoice::OpenVino, Some(Precision::F32));
        assert_eq!(openvino.info().backend_reason, None);
        assert_square_is_cut_out(&openvino);
        let (input, _) = square(&rten, 50);
        let expected = rten.run(&input).unwrap();
        let difference = mean_difference(&expected, &openvino.run(&input).unwrap());
        assert!(difference < 1e-4, "{id}: {difference}");
        let automatic = network(BackendChoice::Auto, None);
        assert_eq!(automatic.info().backend, BackendKind::OpenVino, "{:?}", automatic.info().backend_reason);
        let difference = mean_difference(&expected, &automatic.run(&input).unwrap());
        assert!(difference < 1e-3, "{id}: {difference}");
    }
}

#[test]
fn a_missing_runtime_pack_leaves_rten_and_says_why() {
    let entry = {
        u2netp();
        ModelStore::new(models_dir()).list().into_iter().find(|entry| entry.id == "u2netp").unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(&entry.sha256)).unwrap();
    std::fs::copy(entry.path.join("model.onnx"), folder.path().join(&entry.sha256).join("model.onnx"))
        .unwrap();
    let options = RuntimeOptions {
        models_dir: folder.path().to_owned(),
        prefer: Some("u2netp".into()),
        strict: true,
        ..options()
    };
    let network = Runtime::new(options.clone()).unwrap().cut_out().unwrap();
    assert_eq!(network.info().backend, BackendKind::Rten);
    assert!(network.info().backend_reason.as_ref().unwrap().contains("`openvino`"), "{network:?}");
    let demanded = RuntimeOptions { backend: BackendChoice::OpenVino, ..options };
    assert!(Runtime::new(demanded).unwrap().cut_out().is_err());
}

#[test]
fn a_damaged_runtime_pack_is_never_loaded() {
    u2netp();
    if !is_there("openvino") {
        eprintln!("not tested: `openvino` is not in {}", models_dir().display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for entry in ModelStore::new(models_dir()).list() {
        if !["u2netp", "openvino"].contains(&entry.id.as_str()) {
            continue;
        }
        let copy = folder.path().join(&entry.sha256);
        std::fs::create_dir(&copy).unwrap();
        for file in std::fs::read_dir(entry.path.canonicalize().unwrap()).unwrap().map(Result::unwrap) {
            if file.file_name() == "libhwloc.so.15" {
                let mut bytes = std::fs::read(file.path()).unwrap();
                bytes[300_000] ^= 1;
                std::fs::write(copy.join(file.file_name()), bytes).unwrap();
            } else if file.file_name() != "record.json" {
                std::os::unix::fs::symlink(file.path(), copy.join(file.file_name())).unwrap();
            }
        }
    }
    let options =
        RuntimeOptions { models_dir: folder.path().to_owned(), backend: BackendChoice::Auto, ..u2netp() };
    let network = Runtime::new(options).unwrap().cut_out().unwrap();
    assert_eq!(network.info().backend, BackendKind::Rten);
    let reason = network.info().backend_reason.as_ref().unwrap();
    assert!(reason.starts_with("file `libhwloc.so.15` of `openvino` is not the pinned one"), "{reason}");
}

fn mean_difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let sum: f64 = a.data().iter().zip(b.data()).map(|(a, b)| f64::from((a - b).abs())).sum();
    sum / a.data().len() as f64
}

#[test]
fn a_backend_can_be_used_by_itself() {
    u2netp();
    let store = ModelStore::new(models_dir());
    let model = store.manifest().models.iter().find(|model| model.id == "u2netp").unwrap();
    let entry = store.list().into_iter().find(|entry| entry.id == "u2netp").unwrap();
    let path = entry.path.join("model.onnx");
    let one = neural::backend::rten::Rten::load(&path, &model.input, &model.output, Some(1)).unwrap();
    let all = neural::backend::rten::Rten::load(&path, &model.input, &model.output, None).unwrap();
    let input = model.input.tensor(&vec![90; 320 * 320 * 3]).unwrap();
    assert_eq!(one.run(&input).unwrap(), all.run(&input).unwrap(), "the number of threads changes nothing");
}

#[test]
fn the_networks_for_faces_verify() {
    for (id, task, shape) in
        [("blazeface", Task::FaceFinder, vec![1, 896, 17]), ("facemesh", Task::FaceMesh, vec![1, 1405, 1, 1])]
    {
        if !is_there(id) {
            eprintln!("not tested: `{id}` is not in {}", models_dir().display());
            continue;
        }
        let verified = ModelStore::new(models_dir()).verify(id).unwrap();
        assert!(verified.self_tests.iter().all(|test| test.difference <= test.tolerance), "{verified:?}");
        let network = Runtime::new(options()).unwrap().network(task).unwrap();
        assert_eq!(network.info().backend, BackendKind::Rten, "they are too small for another runtime");
        let (input, _) = square(&network, 50);
        // The square is no face, and each network says so in its last value.
        let output = network.run(&input).unwrap();
        assert_eq!(output.shape(), shape);
        assert!(output.data()[output.data().len() - 1] < 0.0);
    }
}
