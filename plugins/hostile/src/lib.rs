//! Misbehaves on request: one behaviour a config, for tests of what the host makes of it.
//!
//! It exports the world itself, rather than through the SDK's trait: some of what it does takes the bare stream, or the
//! bare canonical ABI.

#![allow(clippy::panic, reason = "that is what it is for")]

mod allocator;
mod computing;
mod ending;
mod logging;
mod looking;
mod naming;
mod output;
mod raw;
mod streams;

use forebay_plugin::bindings::stream::exports::forebay::plugin::transform::Guest;
use forebay_plugin::{Descriptor, Error, FileInfo};
use schemars::JsonSchema;
use wit_bindgen::StreamReader;

pub use allocator::Answer;
pub use ending::{Kind, Moment};
pub use logging::Printer;
pub use raw::Misuse;
use streams::Input;

/// The config of `hostile`: what to do with a file.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(tag = "behaviour", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Behaviour {
    // Computing and memory.
    /// Compute without end, with the input held open and never read.
    Spin,
    /// Compute without end, and give way to others at every turn.
    SpinYielding,
    /// Wait, without end, for a clock that has already struck.
    SpinPolling,
    /// Compute without end after a complete output.
    SpinAfterOutput,
    /// Sleep for an hour, with the input held open and never read.
    Sleep,
    /// Wait for nothing at all.
    Hang,
    /// Call itself without end.
    Recurse,
    /// Take memory without end, and use it.
    Grow,
    /// Take memory without end, a page of 64 KiB at a time, and use none of it.
    GrowByPage,
    /// Take so many pages of 64 KiB at once; fail when there are not as many.
    GrowAtOnce {
        /// How many.
        pages: usize,
    },
    /// Ask the host for random bytes, and lend it a broken allocator for the answer.
    Realloc {
        /// What the allocator does.
        answer: Answer,
    },

    // Output.
    /// Write without end.
    Flood,
    /// Write so many bytes for each byte of the input.
    Inflate {
        /// How many.
        ratio: usize,
    },
    /// Write nothing, again and again.
    EmptyWrites,
    /// Write a byte every so often, without end.
    Trickle {
        /// Milliseconds from byte to byte.
        every: u64,
    },
    /// Emit so many copies, one after the other.
    Copies {
        /// How many.
        count: u32,
    },
    /// Emit so many copies at the same time, a piece of each in turn.
    Interleave {
        /// How many.
        count: u32,
    },
    /// Open so many outputs, then wait forever without writing to any.
    HoldOpen {
        /// How many.
        count: u32,
    },
    /// Read some of the input, open so many outputs, write so many bytes to each, end none, and wait forever.
    FillOpen {
        /// How many outputs.
        count: u32,
        /// How many bytes to each.
        bytes: usize,
    },
    /// Write so many times one byte.
    SmallWrites {
        /// How many.
        count: u32,
    },
    /// Announce a size that does not hold.
    WrongSize {
        /// What to announce.
        size: u64,
    },

    // Naming.
    /// Call an output this.
    Name {
        /// The name.
        name: String,
    },
    /// Give an output a name of so many bytes.
    LongName {
        /// How many.
        bytes: usize,
    },
    /// Emit these bytes as this type.
    Claim {
        /// The type.
        media_type: String,
        /// The bytes.
        text: String,
    },
    /// Claim a type of so many bytes.
    LongType {
        /// How many.
        bytes: usize,
    },

    // Streams and handles.
    /// Read the input without end and without room for a byte.
    EmptyReads,
    /// Pass the input through, a byte at a time.
    ByteByByte,
    /// Give the input back as the output, unread.
    PassOn,
    /// Give the input back as the output, after a first piece of it was read and thrown away.
    PassOnRest,
    /// Wait until an output was taken before anything is written to it.
    EmitFirst,
    /// Write to a stream whose reader this plugin holds itself, and never reads.
    WriteToSelf,
    /// Write part of an output, take the call back, and return ok.
    CancelEmit,
    /// Open and take back so many outputs, and return ok.
    CancelMany {
        /// How many.
        count: u32,
    },
    /// Make so many streams and close none, then return ok.
    LeakStreams {
        /// How many.
        count: u32,
    },
    /// Subscribe to the clock so often and close nothing, then return ok.
    LeakPollables {
        /// How often.
        count: u32,
    },
    /// Wait for the same far-off moment so many times over in one call.
    PollMany {
        /// How many.
        count: u32,
    },
    /// Use the canonical ABI in a way that no compiler would.
    Misuse {
        /// Which one.
        of: Misuse,
    },

    // Ending.
    /// Panic once so many bytes were read.
    Panic {
        /// How many.
        after: u64,
    },
    /// Trap.
    Trap {
        /// When.
        at: Moment,
    },
    /// Give up after a complete output.
    FailLate,
    /// Give up with a message of so many bytes.
    Fail {
        /// In which way.
        kind: Kind,
        /// When.
        at: Moment,
        /// How many.
        bytes: usize,
    },
    /// Give up with this message.
    Say {
        /// The message.
        text: String,
    },
    /// Return ok with an output still open.
    Unfinished,
    /// Return ok without having read anything.
    Ignore,
    /// Return ok after a complete output, and then once more.
    ReturnTwice,
    /// Return ok after a complete output, then compute without end.
    ReturnAndSpin,
    /// Return ok in the middle of an output, then go on to write it without end.
    ReturnAndWrite,
    /// End the process.
    Exit,

    // Logging.
    /// Write so many bytes to standard error, then panic.
    Chatter {
        /// How many.
        bytes: usize,
    },
    /// Write so many bytes without a line break, then return ok.
    Log {
        /// Where to.
        to: Printer,
        /// How many.
        bytes: usize,
    },
    /// Write this text to standard error, then panic.
    Print {
        /// The text.
        text: String,
    },

    // Looking around.
    /// Write all that can be seen of the outside, as lines of text. The input must be text.
    Look,
    /// Write what the clocks and the random numbers say, as lines of text. The input must be text.
    Observe,
    /// Ask for so many random bytes at once.
    Random {
        /// How many.
        bytes: u64,
    },
}

/// The plugin.
#[derive(Debug)]
pub struct Hostile;

impl Guest for Hostile {
    fn describe() -> Descriptor {
        Descriptor {
            name: "hostile".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Misbehaves on request, for tests".into(),
            accepts: vec!["*/*".into()],
            produces: Vec::new(),
            config_schema: forebay_plugin::export::schema_text::<Behaviour>(),
        }
    }

    async fn transform(
        info: FileInfo,
        content: StreamReader<u8>,
        config: String,
    ) -> Result<(), Error> {
        let behaviour = serde_json::from_str(&config)
            .map_err(|error| Error::InvalidConfig(error.to_string()))?;
        // The input's size holds for few of the outputs.
        let info = FileInfo { size: None, ..info };
        behave(behaviour, info, Input(content)).await
    }
}

async fn behave(behaviour: Behaviour, info: FileInfo, mut input: Input) -> Result<(), Error> {
    use Behaviour as B;
    match behaviour {
        B::Spin => computing::spin(),
        B::SpinYielding => computing::spin_yielding().await,
        B::SpinPolling => computing::spin_polling(),
        B::SpinAfterOutput => {
            output::copy(&mut input, info).await?;
            computing::spin()
        }
        B::Sleep => {
            std::thread::sleep(std::time::Duration::from_secs(3600));
            Ok(())
        }
        B::Hang => raw::wait_for_nothing(),
        B::Recurse => {
            computing::recurse(0);
            Ok(())
        }
        B::Grow => computing::grow(),
        B::GrowByPage => computing::grow_by_page(),
        B::GrowAtOnce { pages } => computing::grow_at_once(pages),
        B::Realloc { answer } => allocator::provoke(answer),

        B::Flood => output::flood(info).await,
        B::Inflate { ratio } => output::inflate(&mut input, info, ratio).await,
        B::EmptyWrites => output::empty_writes(info).await,
        B::Trickle { every } => output::trickle(info, every).await,
        B::Copies { count } => output::copies(&mut input, info, count).await,
        B::Interleave { count } => output::interleave(&mut input, info, count).await,
        B::HoldOpen { count } => output::hold_open(info, count).await,
        B::FillOpen { count, bytes } => output::fill_open(&mut input, info, count, bytes).await,
        B::SmallWrites { count } => output::small_writes(info, count).await,
        B::WrongSize { size } => {
            let size = Some(size);
            output::copy(&mut input, FileInfo { size, ..info }).await
        }

        B::Name { name } => output::copy(&mut input, FileInfo { name, ..info }).await,
        B::LongName { bytes } => naming::long_name(&mut input, info, bytes).await,
        B::Claim { media_type, text } => naming::claim(info, media_type, text).await,
        B::LongType { bytes } => naming::long_type(&mut input, info, bytes).await,

        B::EmptyReads => streams::empty_reads(input).await,
        B::ByteByByte => streams::byte_by_byte(input, info).await,
        B::PassOn => streams::pass_on(input, info).await,
        B::PassOnRest => streams::pass_on_rest(input, info).await,
        B::EmitFirst => streams::emit_first(info).await,
        B::WriteToSelf => streams::write_to_self().await,
        B::CancelEmit => streams::cancel_emit(input, info).await,
        B::CancelMany { count } => streams::cancel_many(info, count).await,
        B::LeakStreams { count } => streams::leak_streams(count),
        B::LeakPollables { count } => streams::leak_pollables(count),
        B::PollMany { count } => streams::poll_many(count),
        B::Misuse { of } => raw::misuse(of, &info, input.0),

        B::Panic { after } => ending::panic_after(&mut input, info, after).await,
        B::Trap { at } => ending::trap(&mut input, info, at).await,
        B::FailLate => {
            output::copy(&mut input, info).await?;
            Err(Error::Failed("on second thoughts".into()))
        }
        B::Fail { kind, at, bytes } => ending::fail(&mut input, info, kind, at, bytes).await,
        B::Say { text } => Err(Error::Failed(text)),
        B::Unfinished => ending::unfinished(&mut input, info).await,
        B::Ignore => Ok(()),
        B::ReturnTwice => ending::return_twice(&mut input, info).await,
        B::ReturnAndSpin => ending::return_and_spin(&mut input, info).await,
        B::ReturnAndWrite => ending::return_and_write(info).await,
        B::Exit => std::process::exit(3),

        B::Chatter { bytes } => logging::chatter(bytes),
        B::Log { to, bytes } => logging::flood(to, bytes),
        B::Print { text } => logging::print(&text),

        B::Look => looking::look(info).await,
        B::Observe => looking::observe(info).await,
        B::Random { bytes } => {
            let got = wasip2::random::random::get_random_bytes(bytes).len();
            Err(Error::Failed(format!("the host gave {got} bytes")))
        }
    }
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "generated")]
const _: () = {
    forebay_plugin::export::export_stream_plugin!(Hostile);
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_config_can_be_described() {
        forebay_plugin::config_schema::<Behaviour>().unwrap();
    }
}
