//! A normalization as one straight line for each channel.

use super::Buffer;

/// u = scale · x + shift for each channel. Inference makes it of the running statistics, in f64, once; training of each batch's.
#[derive(Debug, Clone)]
pub struct Affine {
    /// Each channel's factor.
    pub scale: Buffer,
    /// Each channel's offset.
    pub shift: Buffer,
}

impl Affine {
    /// 0 · x + 0 for each of `channels` channels.
    pub fn zeroed(channels: usize) -> Self {
        Affine { scale: Buffer::zeroed(channels), shift: Buffer::zeroed(channels) }
    }
}
