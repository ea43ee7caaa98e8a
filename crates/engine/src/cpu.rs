//! Which instructions the processor has, found at run time, and the choice between the kernels written for them.

use std::sync::OnceLock;

use crate::error::EngineError;

/// An instruction set that kernels exist for, from the plainest to the richest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust for any processor.
    Portable,
    /// 64-bit Arm with NEON.
    Neon,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with VNNI, the 8-bit dot product.
    Avx512Vnni,
    /// AVX-512 with VNNI and BF16, the bfloat16 dot product.
    Avx512Bf16,
}

impl Isa {
    /// Every instruction set that has kernels, whether or not this processor has it.
    pub const ALL: [Isa; 6] = [Isa::Portable, Isa::Neon, Isa::Avx2, Isa::Avx512, Isa::Avx512Vnni, Isa::Avx512Bf16];

    /// The name that `COXA_ISA` takes.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Neon => "neon",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Avx512Vnni => "avx512vnni",
            Isa::Avx512Bf16 => "avx512bf16",
        }
    }

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        static MASK: OnceLock<u8> = OnceLock::new();
        let mask = *MASK.get_or_init(|| {
            Isa::ALL.into_iter().filter(|isa| detect(*isa)).fold(0, |mask, isa| mask | (1 << isa as u8))
        });
        mask & (1 << self as u8) != 0
    }

    /// Every instruction set that this processor has kernels for.
    pub fn available() -> impl Iterator<Item = Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.is_available())
    }

    /// The richest instruction set of this processor, or the one that the environment variable `COXA_ISA` names, when the
    /// processor has it ([`Isa::forced`] says whether it does).
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let forced = Isa::forced().ok().flatten();
            forced.or_else(|| Isa::available().last()).unwrap_or(Isa::Portable)
        })
    }

    /// The instruction set that the environment variable `COXA_ISA` names, where it is set.
    ///
    /// # Errors
    /// [`EngineError::Isa`] when this processor has none of that name.
    pub fn forced() -> Result<Option<Isa>, EngineError> {
        let Some(name) = std::env::var_os("COXA_ISA") else { return Ok(None) };
        let name = name.to_string_lossy().trim().to_owned();
        match Isa::available().find(|isa| isa.name() == name) {
            Some(isa) => Ok(Some(isa)),
            None => {
                let available = Isa::available().map(Isa::name).collect::<Vec<_>>().join(", ");
                Err(EngineError::Isa { name, available })
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn detect(isa: Isa) -> bool {
    use std::arch::is_x86_feature_detected as has;
    let avx2 = has!("avx2") && has!("fma");
    let avx512 = avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    match isa {
        Isa::Portable => true,
        Isa::Neon => false,
        Isa::Avx2 => avx2,
        Isa::Avx512 => avx512,
        Isa::Avx512Vnni => avx512 && has!("avx512vnni"),
        Isa::Avx512Bf16 => avx512 && has!("avx512vnni") && has!("avx512bf16"),
    }
}

#[cfg(target_arch = "aarch64")]
fn detect(isa: Isa) -> bool {
    match isa {
        Isa::Portable => true,
        Isa::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        _ => false,
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detect(isa: Isa) -> bool {
    isa == Isa::Portable
}

/// What the engine found out about the processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuFeatures {
    /// The instruction set whose kernels run.
    pub isa: Isa,
    /// Processors that this process may use at the same time.
    pub threads: usize,
}

impl CpuFeatures {
    /// The name of the dispatch path, such as `avx2`.
    pub fn name(&self) -> &'static str {
        self.isa.name()
    }
}

/// The instruction set in use and the number of processors.
pub fn cpu() -> CpuFeatures {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    CpuFeatures { isa: Isa::best(), threads }
}
