//! The source of a job, as it is read.

use std::io;

use forebay_core::channel::{Content, Ending, Fault, channel};

use super::abort_on_drop::AbortOnDrop;
use super::run::Run;
use crate::flow::event::Event;
use crate::flow::source::{Input, Opened};

/// Feeds a job, and knows why its source could not be read.
pub(super) enum Feed {
    /// The first stage reads it.
    Pulled(Fault),
    /// A task reads it.
    Pumped(AbortOnDrop<io::Result<()>>, Ending),
}

impl Feed {
    /// Begins to read a source.
    pub(super) fn new(opened: Opened, run: &Run) -> (Content, Self) {
        let (observers, chunk) = (run.observers.clone(), run.host.chunk);
        let each = move |bytes| observers.emit(|| Event::Read { bytes });
        let Opened { size, input } = opened;
        match input {
            Input::Stored(stored) => {
                let (content, fault) = stored.content(size, chunk, each);
                (content, Self::Pulled(fault))
            }
            Input::Stream(stream) => {
                let (sender, content) = channel(run.host.budget());
                let ending = content.ending();
                let task = tokio::spawn(stream.pump(size, chunk, sender, each));
                (content, Self::Pumped(AbortOnDrop(task), ending))
            }
        }
    }

    /// Why the source could not be read, when nothing wants more of it.
    pub(super) async fn fault(self) -> Option<io::Error> {
        match self {
            Self::Pulled(fault) => fault.take(),
            // Nothing reads it any more, and its next byte may never arrive.
            Self::Pumped(_, ending) if ending.is_open() => None,
            Self::Pumped(task, _) => task.await.err(),
        }
    }
}
