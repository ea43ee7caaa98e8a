//! Which instructions the processor has, found at run time, and the choice between the kernels written for them.

use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

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

    /// Its name, which [`str::parse`] takes.
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

    /// The richest instruction set of this processor.
    pub fn best() -> Isa {
        Isa::available().last().unwrap_or(Isa::Portable)
    }

    /// The instruction set of options that name none: the one that [`Isa::prefer`] has set in this process, or else [`Isa::best`].
    pub fn preferred() -> Isa {
        Isa::ALL.get(PREFERRED.load(Ordering::Relaxed)).copied().unwrap_or_else(Isa::best)
    }

    /// Makes this the instruction set of options that name none, in the whole process. It is for a program's `main`, which may let
    /// its user choose; a library names the instruction set in its options instead.
    ///
    /// # Errors
    /// [`EngineError::IsaUnavailable`] when the processor does not have it; nothing changes then.
    pub fn prefer(self) -> Result<(), EngineError> {
        self.check()?;
        let place = Isa::ALL.iter().position(|isa| *isa == self).unwrap_or(usize::MAX);
        PREFERRED.store(place, Ordering::Relaxed);
        Ok(())
    }

    /// # Errors
    /// [`EngineError::IsaUnavailable`] when the processor does not have it. Unit tests may emulate it then.
    pub(crate) fn check(self) -> Result<(), EngineError> {
        #[cfg(test)]
        if self.is_emulated() {
            return Ok(());
        }
        if self.is_available() { Ok(()) } else { Err(EngineError::IsaUnavailable { isa: self }) }
    }
}

/// What [`Isa::prefer`] has set, as a place in [`Isa::ALL`]; any other number is none.
static PREFERRED: AtomicUsize = AtomicUsize::new(usize::MAX);

impl FromStr for Isa {
    type Err = EngineError;

    /// The instruction set of a [name](Isa::name).
    ///
    /// # Errors
    /// [`EngineError::UnknownIsa`] when there is none of that name.
    fn from_str(name: &str) -> Result<Self, EngineError> {
        let known = Isa::ALL.into_iter().find(|isa| isa.name() == name);
        known.ok_or_else(|| EngineError::UnknownIsa { name: name.to_owned() })
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
    /// The instruction set whose kernels run where options name none.
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

/// The instruction set that options have by default, and the number of processors.
pub fn cpu() -> CpuFeatures {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    CpuFeatures { isa: Isa::preferred(), threads }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed() {
        for isa in Isa::ALL {
            assert_eq!(isa.name().parse(), Ok(isa));
        }
        let error = "mmx".parse::<Isa>().expect_err("no kernels for it");
        assert_eq!(error.to_string(), "`mmx` is not one of portable, neon, avx2, avx512, avx512vnni, avx512bf16");
    }

    #[test]
    fn only_an_available_instruction_set_can_be_preferred() {
        let missing = if cfg!(target_arch = "x86_64") { Isa::Neon } else { Isa::Avx2 };
        assert_eq!(missing.prefer(), Err(EngineError::IsaUnavailable { isa: missing }));
        assert_eq!(Isa::preferred(), Isa::best());
    }
}
