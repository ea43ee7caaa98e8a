//! Buffers of f32 aligned to cache lines, and unchecked views of them for the passes' threads.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

use super::PLANE;

const ALIGN: usize = 64;

/// Zeroed f32 values aligned to 64 bytes. Pages are touched when first used.
pub(crate) struct Buffer {
    data: *mut f32,
    len: usize,
}

// SAFETY: a Buffer owns its memory, as a Vec does.
unsafe impl Send for Buffer {}
// SAFETY: as above; shared access is read-only except through `ptr`, whose uses are unsafe.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// `len` zeros.
    pub(crate) fn new(len: usize) -> Self {
        if len == 0 {
            return Buffer { data: std::ptr::null_mut(), len };
        }
        let layout = Self::layout(len);
        // SAFETY: the layout is not empty.
        let data = unsafe { alloc_zeroed(layout) }.cast::<f32>();
        if data.is_null() {
            handle_alloc_error(layout);
        }
        Buffer { data, len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first value, for passes that write disjoint parts from several threads.
    pub(crate) fn ptr(&self) -> *mut f32 {
        self.data
    }

    fn layout(len: usize) -> Layout {
        Layout::array::<f32>(len)
            .and_then(|l| l.align_to(ALIGN))
            .expect("a buffer is far smaller than the address space")
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: allocated in `new` with the same layout.
            unsafe { dealloc(self.data.cast(), Self::layout(self.len)) }
        }
    }
}

impl std::ops::Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: `len` initialized values that live as long as the buffer.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

impl std::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        if self.len == 0 {
            return &mut [];
        }
        // SAFETY: as `deref`, borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.len) }
    }
}

/// Channels in planes of 32: `[plane][pixel][32]`, pixels of all images in order.
#[derive(Clone, Copy)]
pub(crate) struct Planes {
    data: *mut f32,
    /// Pixels of all images together.
    pub pixels: usize,
}

// SAFETY: a view; the passes that use it write disjoint parts.
unsafe impl Send for Planes {}
// SAFETY: as above.
unsafe impl Sync for Planes {}

impl Planes {
    /// The planes in `buffer`, which must hold a whole number of planes of `pixels` pixels.
    pub(crate) fn new(buffer: &Buffer, pixels: usize) -> Self {
        debug_assert_eq!(buffer.len() % (pixels * PLANE), 0);
        Planes { data: buffer.ptr(), pixels }
    }

    /// The same planes from plane `first` on.
    pub(crate) fn from(self, first: usize) -> Self {
        Planes { data: self.data.wrapping_add(first * self.pixels * PLANE), pixels: self.pixels }
    }

    /// The 32 channels of pixel `pixel` of plane `plane`.
    pub(crate) fn at(self, plane: usize, pixel: usize) -> *mut f32 {
        self.data.wrapping_add((plane * self.pixels + pixel) * PLANE)
    }
}
