//! Who runs a core's turns: a glommio executor, or a plain loop. The second one shows what the first one costs.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use glommio::io::PollableFd;
use glommio::{LocalExecutorBuilder, Placement};

use super::core::Core;
use super::order::Go;
use super::pin;
use super::ring::Wait;

/// Longest wait of an idle core: its timers are looked at as often.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// Locked memory that the executor takes for files of its own, which we do not have.
const HOST_IO_MEMORY_BYTES: usize = 64 * 1024;

/// Which of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reactor {
    /// A glommio executor, pinned to its core.
    Glommio,
    /// A loop of our own, pinned likewise.
    Standalone,
}

/// Runs a core until it is over. `make` is called on the thread that will run it. Returns once it is over.
///
/// # Errors
/// When the core cannot be made, or breaks.
pub fn run<E>(
    reactor: Reactor,
    cpu: Option<usize>,
    name: &str,
    make: impl FnOnce() -> Result<Core, E> + Send + 'static,
) -> Result<(), E>
where
    E: From<io::Error> + Send + 'static,
{
    match reactor {
        Reactor::Standalone => {
            if let Some(cpu) = cpu {
                pin::to_cpu(cpu);
            }
            let mut core = make()?;
            while core.turn(Wait::For(IDLE_WAIT))? != Go::Over {}
            Ok(())
        }
        Reactor::Glommio => {
            let executor =
                LocalExecutorBuilder::new(cpu.map_or(Placement::Unbound, Placement::Fixed))
                    .name(name)
                    .io_memory(HOST_IO_MEMORY_BYTES)
                    .make()
                    .map_err(|why| io::Error::other(format!("glommio: {why}")))?;
            executor.run(async move { hosted(make()?).await.map_err(E::from) })
        }
    }
}

/// Turns, with a look at the executor's other tasks in between. Only a core without work sleeps in the executor.
async fn hosted(mut core: Core) -> io::Result<()> {
    let signal = core.enable_eventfd()?;
    let signal = PollableFd::new(signal).map_err(|why| glommio_error(&why))?;
    core.tell_host(false);
    loop {
        match core.turn(Wait::Interval)? {
            Go::Over => return Ok(()),
            Go::Busy => glommio::yield_if_needed().await,
            Go::Idle => {
                // What happens after this makes the signal readable; what happened before it shows in one more turn.
                drain(signal.get_ref())?;
                core.tell_host(true);
                match core.turn(Wait::Poll)? {
                    Go::Over => return Ok(()),
                    Go::Idle if core.doze() => sleep(&signal).await?,
                    Go::Busy | Go::Idle => {}
                }
                core.tell_host(false);
            }
        }
    }
}

async fn sleep(signal: &PollableFd<OwnedFd>) -> io::Result<()> {
    let ready = async { signal.readable().await.map_err(|why| glommio_error(&why)) };
    let late = async {
        glommio::timer::Timer::new(IDLE_WAIT).await;
        Ok(())
    };
    futures_lite::future::or(ready, late).await
}

fn glommio_error(why: &glommio::GlommioError<()>) -> io::Error {
    io::Error::other(format!("glommio: {why}"))
}

/// Empties the signal, so that only what happens from now on makes it readable.
fn drain(signal: &OwnedFd) -> io::Result<()> {
    let mut count = [0_u8; 8];
    match rustix::io::read(signal, &mut count) {
        Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
        Err(why) => Err(why.into()),
    }
}
