//! Uses WASI 0.3 for all that it needs but files, for tests. The standard library beneath it uses 0.2, so a component of it
//! imports both.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use forebay_plugin::{About, Error, Input, Output, StreamPlugin};
use schemars::JsonSchema;

#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::restriction,
    reason = "generated"
)]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "streams", generate_all });
}

use bindings::wasi::cli::{environment, exit, stderr, stdin, stdout};
use bindings::wasi::clocks::{monotonic_clock, system_clock};
use bindings::wasi::random::random;
use bindings::wit_stream;

/// The config of `wasi3`: what to do with a file.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(tag = "behaviour", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Behaviour {
    /// Pass it on, after a millisecond of sleep.
    PassOn,
    /// Pass it on, print this, and trap.
    PrintAndTrap {
        /// What to print.
        text: String,
    },
    /// Give out what the clocks, the random numbers, the environment and standard input have.
    Observe,
    /// Print so many bytes to each of standard output and error, then a last line, and trap.
    Flood {
        /// How many.
        bytes: usize,
    },
    /// Begin so many sleeps of an hour, and wait for all.
    Sleeps {
        /// How many.
        count: usize,
    },
    /// Begin so many streams into the log and end none, then pass the file on.
    Printers {
        /// How many.
        count: usize,
    },
    /// Leave with this code.
    Exit {
        /// The code.
        code: u8,
    },
}

/// The plugin.
#[derive(Debug)]
pub struct Wasi3;

impl StreamPlugin for Wasi3 {
    type Config = Behaviour;
    const ABOUT: About = About {
        name: "wasi3",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Uses WASI 0.3, for tests",
        accepts: &["*/*"],
        produces: &[],
    };

    async fn transform(input: Input, behaviour: Behaviour) -> Result<(), Error> {
        use Behaviour as B;
        match behaviour {
            B::PassOn => slow_pass_on(input).await,
            B::PrintAndTrap { text } => {
                pass_on(input).await?;
                print(text).await;
                trap()
            }
            B::Observe => observe(input).await,
            B::Flood { bytes } => {
                pass_on(input).await?;
                let (mut writer, reader) = wit_stream::new();
                let ended = stdout::write_via_stream(reader);
                writer.write_all(vec![b'-'; bytes]).await;
                drop(writer);
                ended.await.map_err(told)?;
                print("=".repeat(bytes)).await;
                print("beyond the end".into()).await;
                trap()
            }
            B::Sleeps { count } => {
                const HOUR: u64 = 3_600_000_000_000;
                let mut sleeps = Vec::new();
                for _ in 0..count {
                    let mut sleep = Box::pin(monotonic_clock::wait_for(HOUR));
                    // The first poll makes the call. None ends with it.
                    let _ = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await;
                    sleeps.push(sleep);
                }
                for sleep in sleeps {
                    sleep.await;
                }
                Ok(())
            }
            B::Printers { count } => {
                let mut writers = Vec::new();
                for _ in 0..count {
                    let (writer, reader) = wit_stream::new();
                    drop(stderr::write_via_stream(reader));
                    writers.push(writer);
                }
                pass_on(input).await
            }
            B::Exit { code } => {
                exit::exit_with_code(code);
                Ok(())
            }
        }
    }
}

async fn pass_on(mut input: Input) -> Result<(), Error> {
    let mut output = Output::open(input.info().clone()).await;
    let mut chunk = Vec::new();
    while input.fill(&mut chunk).await {
        output.write(&mut chunk).await?;
    }
    output.finish().await
}

async fn slow_pass_on(input: Input) -> Result<(), Error> {
    const MILLISECOND: u64 = 1_000_000;
    let begun = monotonic_clock::now();
    monotonic_clock::wait_for(MILLISECOND).await;
    let slept = monotonic_clock::now() - begun;
    if slept < MILLISECOND {
        return Err(Error::Failed(format!("slept for {slept} ns")));
    }
    if random::get_random_bytes(16) == random::get_random_bytes(16) {
        return Err(Error::Failed("two random numbers are the same".into()));
    }
    print(format!("{} begins\n", input.info().name)).await;
    pass_on(input).await
}

async fn observe(input: Input) -> Result<(), Error> {
    let (stdin, ended) = stdin::read_via_stream();
    let stdin = pin!(stdin.collect()).await;
    ended.await.map_err(told)?;
    let now = system_clock::now();
    let seen = format!(
        "{}.{:09} {} {} {:?} {:?} {:?} {:?}",
        now.seconds,
        now.nanoseconds,
        monotonic_clock::now(),
        random::get_random_u64(),
        random::get_random_bytes(8),
        environment::get_environment(),
        environment::get_arguments(),
        stdin,
    );
    let mut info = input.info().clone();
    info.size = None;
    let mut output = Output::open(info).await;
    output.write(&mut seen.into_bytes()).await?;
    output.finish().await
}

/// Prints through WASI 0.3. The standard library would use 0.2.
async fn print(text: String) {
    let (mut writer, reader) = wit_stream::new();
    let ended = stderr::write_via_stream(reader);
    writer.write_all(text.into_bytes()).await;
    drop(writer);
    // It is as well as it can be.
    let _ = ended.await;
}

/// Traps without a word. A panic would print some.
fn trap() -> ! {
    #[cfg(target_family = "wasm")]
    std::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    std::process::abort();
}

/// What the host said, for a test to read.
fn told(error: impl std::fmt::Debug) -> Error {
    Error::Failed(format!("{error:?}"))
}

forebay_plugin::export_stream!(Wasi3);
