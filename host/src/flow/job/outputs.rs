//! Sends the outputs of one stage over one file to the next stage or to the sink.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::in_flight::{InFlight, Origin};
use super::run::{Permit, Run};
use crate::flow::error::Error;
use crate::sandbox::run::StoredFile;
use crate::sandbox::state::Emitted;
use forebay_core::FileInfo;
use forebay_core::channel::{Content, channel};
use forebay_core::disk::WriteError;
use forebay_core::scratch::Scratch;

/// Outputs of a stage that have begun, and the tasks that send them on.
pub(super) struct Outputs {
    run: Arc<Run>,
    scratch: Scratch,
    /// Index of the stage that receives them.
    at: usize,
    file: Origin,
    /// How many outputs there are so far.
    count: usize,
    /// The permit of the input, until the first output takes it.
    permit: Option<Arc<Permit>>,
    members: JoinSet<()>,
}

impl Outputs {
    /// Starts with no outputs. `file` is the origin of the stage's input, with the stage already in its trail. `permit`
    /// is the permit of that input. `at` is the index of the stage that receives the outputs.
    pub(super) fn new(
        run: Arc<Run>,
        file: Origin,
        at: usize,
        permit: Arc<Permit>,
        scratch: Scratch,
    ) -> Self {
        Self {
            run,
            scratch,
            at,
            file,
            count: 0,
            permit: Some(permit),
            members: JoinSet::new(),
        }
    }

    fn file_in_flight(&mut self, info: FileInfo, content: Content) -> InFlight {
        let mut place = self.file.place.clone();
        place.push(self.count);
        self.count += 1;
        InFlight {
            info,
            content,
            origin: Origin {
                place,
                ..self.file.clone()
            },
        }
    }

    /// Adds an output that is still being written.
    pub(super) fn streamed(&mut self, Emitted { info, content }: Emitted) {
        if !self.run.admit(&info.name) {
            return;
        }
        let file = self.file_in_flight(info, content);
        let (run, scratch, at) = (self.run.clone(), self.scratch.clone(), self.at);
        match self
            .permit
            .take()
            .or_else(|| run.try_permit().map(Arc::new))
        {
            Some(permit) => self.members.spawn(run.advance(file, at, permit, scratch)),
            None => self.members.spawn(wait_in_scratch(run, file, at, scratch)),
        };
    }

    /// Adds an output that is complete and stored in scratch.
    pub(super) fn stored(&mut self, StoredFile { info, file: stored }: StoredFile) {
        if !self.run.admit(&info.name) {
            return;
        }
        // The content is set when the file is opened.
        let (_, nothing) = channel(1);
        let file = self.file_in_flight(info, nothing);
        let (run, scratch, at, permit) = (
            self.run.clone(),
            self.scratch.clone(),
            self.at,
            self.permit.take(),
        );
        self.members.spawn(async move {
            let permit = match permit {
                Some(permit) => Some(permit),
                None => run.permit().await.map(Arc::new),
            };
            if let Some(permit) = permit {
                run.resume(file, stored, at, permit, scratch).await;
            }
        });
    }

    /// Waits for all outputs. Returns the input's own permit first, because they may need it.
    pub(super) async fn finish(mut self) {
        self.permit = None;
        while let Some(member) = self.members.join_next().await {
            if let Err(error) = member
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}

/// Writes a file to scratch while no permit is free, and sends it on when it gets one.
async fn wait_in_scratch(run: Arc<Run>, mut file: InFlight, at: usize, scratch: Scratch) {
    let written = async {
        let (spool, stored) = scratch.file()?;
        let size = spool.fill(&mut file.content, |_| {}).await?;
        Ok::<_, WriteError>((stored, size))
    };
    let (stored, size) = match written.await {
        Ok(written) => written,
        Err(WriteError::Interrupted) => return run.interrupted(&file.info.name),
        Err(WriteError::Io(reason)) => {
            return run.fail(Error::scratch(file.info.name, reason));
        }
    };
    file.info.size = Some(size);
    if let Some(permit) = run.permit().await {
        run.resume(file, stored, at, Arc::new(permit), scratch)
            .await;
    }
}
