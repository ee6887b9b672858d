//! The `stentor` binary: its command line. The engine itself is the library.

mod cli;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(unsafe_code, reason = "a function of the allocator that its crate does not wrap")]
mod allocator {
    unsafe extern "C" {
        fn mi_collect(force: bool);
    }

    /// Returns what nobody uses of the calling thread's memory to the system. By itself the allocator does so only when it is asked for
    /// more.
    pub(crate) fn give_back() {
        // SAFETY: it takes no pointers, and may be called by any thread at any time.
        unsafe { mi_collect(true) }
    }
}

fn main() -> ExitCode {
    cli::run()
}
