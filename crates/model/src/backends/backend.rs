//! The back ends of a build, by name.

use std::fmt;
use std::str::FromStr;

use crate::ModelError;

/// Where the network runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Backend {
    /// The crate's own engine on the processor.
    #[default]
    Cpu,
    /// Burn on NVIDIA GPUs (feature `cuda`).
    #[cfg(feature = "cuda")]
    Cuda,
    /// Burn on AMD GPUs (feature `rocm`).
    #[cfg(feature = "rocm")]
    Rocm,
    /// Burn on whatever GPU the system's graphics interface offers (feature `wgpu`).
    #[cfg(feature = "wgpu")]
    Wgpu,
    /// Burn on the processor (feature `flex`): slower than [`Backend::Cpu`], and there to be compared with it.
    #[cfg(feature = "flex")]
    Flex,
}

impl Backend {
    /// Every back end of this build, with its name.
    pub const ALL: &'static [(Backend, &'static str)] = &[
        (Backend::Cpu, "cpu"),
        #[cfg(feature = "cuda")]
        (Backend::Cuda, "cuda"),
        #[cfg(feature = "rocm")]
        (Backend::Rocm, "rocm"),
        #[cfg(feature = "wgpu")]
        (Backend::Wgpu, "wgpu"),
        #[cfg(feature = "flex")]
        (Backend::Flex, "flex"),
    ];
}

impl FromStr for Backend {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        Backend::ALL.iter().find(|(_, known)| *known == name).map(|(backend, _)| *backend).ok_or_else(|| {
            let known: Vec<&str> = Backend::ALL.iter().map(|(_, name)| *name).collect();
            ModelError::Setting(format!("back end {name} is not one of this build's: {}", known.join(", ")))
        })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Backend::ALL.iter().find(|(backend, _)| backend == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}
