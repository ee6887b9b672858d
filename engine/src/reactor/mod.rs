//! The rim of a core: the one place that talks to the kernel.

pub mod ring;
