//! Memory for vectors: zeroed and aligned to cache lines.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};

const ALIGN: usize = 64;

/// A fixed-size array of `T`, zeroed and aligned to 64 bytes. Its pages are touched when they are first used.
pub struct Buffer<T: Plain = f32> {
    ptr: std::ptr::NonNull<T>,
    len: usize,
}

/// Types for which all-zero bytes are a value and nothing has to be dropped.
///
/// # Safety
/// All-zero bytes are a valid value, and the type has no drop glue.
pub unsafe trait Plain: Copy + Send + Sync + 'static {}

// SAFETY: plain numbers.
unsafe impl Plain for f32 {}
// SAFETY: plain numbers.
unsafe impl Plain for u32 {}
// SAFETY: plain numbers.
unsafe impl Plain for u16 {}
// SAFETY: plain numbers.
unsafe impl Plain for u8 {}
// SAFETY: plain numbers.
unsafe impl Plain for i8 {}

impl<T: Plain> Buffer<T> {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let layout = Self::layout(len);
        // SAFETY: the layout is never empty.
        let ptr = unsafe { alloc_zeroed(layout) }.cast::<T>();
        let Some(ptr) = std::ptr::NonNull::new(ptr) else { handle_alloc_error(layout) };
        Buffer { ptr, len }
    }

    /// A copy of a slice.
    pub fn from_slice(values: &[T]) -> Self {
        let mut buffer = Self::zeroed(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    /// The first value, for tasks that write parts of their own from several threads. Nobody may hold a slice of those parts meanwhile.
    pub fn shared_ptr(&self) -> *mut T {
        self.ptr.as_ptr()
    }

    fn layout(len: usize) -> Layout {
        let layout = Layout::array::<T>(len.max(1)).and_then(|layout| layout.align_to(ALIGN));
        layout.expect("buffer sizes fit the address space").pad_to_align()
    }
}

impl<T: Plain> Drop for Buffer<T> {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with the same layout.
        unsafe { dealloc(self.ptr.as_ptr().cast(), Self::layout(self.len)) }
    }
}

impl<T: Plain> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `len` values were allocated and zeroed.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl<T: Plain> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: `len` values were allocated and zeroed, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }
}

impl<T: Plain> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self::from_slice(self)
    }
}

impl<T: Plain> std::fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} × {} bytes)", self.len, size_of::<T>())
    }
}

// SAFETY: the buffer owns its memory, and plain values may be read and written from any thread.
unsafe impl<T: Plain> Send for Buffer<T> {}
// SAFETY: as above.
unsafe impl<T: Plain> Sync for Buffer<T> {}
