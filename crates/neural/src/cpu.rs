//! What the processor can do, as far as the choice of a runtime depends on it.

/// Names the machine this program was built for as operating system, processor and C library, where it is one that
/// a runtime pack may be made for.
pub(crate) const PLATFORM: &str =
    if cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        "linux-x86_64-gnu"
    } else {
        "other"
    };

/// Says whether the processor computes well in bfloat16 (AVX-512 BF16; every processor with AMX BF16 has it too).
pub(crate) fn has_bf16() -> bool {
    features().contains(&"avx512bf16")
}

/// Says whether the processor has the vector width OpenVINO is faster with than the pure Rust runtime.
pub(crate) fn has_avx2() -> bool {
    features().contains(&"avx2")
}

/// Names the processor features that decide which code a runtime takes, so that a passed self-test is
/// only trusted on the same kind of processor.
pub(crate) fn signature() -> String {
    std::iter::once(PLATFORM).chain(features()).collect::<Vec<_>>().join("+")
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    macro_rules! detected {
        ($($name:tt),*) => {
            [$(($name, std::arch::is_x86_feature_detected!($name))),*]
        };
    }
    detected!("avx2", "fma", "f16c", "avxvnni", "avx512f", "avx512vnni", "avx512bf16", "avx512fp16")
        .into_iter()
        .filter_map(|(name, there)| there.then_some(name))
        .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    Vec::new()
}
