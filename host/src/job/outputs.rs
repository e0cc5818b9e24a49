//! The outputs of one stage over one file, on their way onward.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::tree::{Lane, Moving, Origin, Run};
use crate::disk::WriteError;
use crate::error::Error;
use crate::scratch::Scratch;
use crate::stage::{Emitted, FileInfo, StoredFile};
use crate::stream::{Content, channel};

/// Outputs that were begun, and the tasks that take them further.
pub(super) struct Family {
    run: Arc<Run>,
    scratch: Scratch,
    /// The stage that they go into.
    at: usize,
    file: Origin,
    /// How many outputs there were.
    count: usize,
    /// The lane of the input, until the first output takes it over.
    lane: Option<Arc<Lane>>,
    members: JoinSet<()>,
}

impl Family {
    /// No outputs yet. `file` is what the stage was given, its trail already with the stage; `lane` is its lane, and `at`
    /// the stage that the outputs go into.
    pub(super) fn new(
        run: Arc<Run>,
        file: Origin,
        at: usize,
        lane: Arc<Lane>,
        scratch: Scratch,
    ) -> Self {
        Self {
            run,
            scratch,
            at,
            file,
            count: 0,
            lane: Some(lane),
            members: JoinSet::new(),
        }
    }

    fn moving(&mut self, info: FileInfo, content: Content) -> Moving {
        let mut place = self.file.place.clone();
        place.push(self.count);
        self.count += 1;
        Moving {
            info,
            content,
            origin: Origin {
                place,
                ..self.file.clone()
            },
        }
    }

    /// Takes an output that is still being written.
    pub(super) fn streamed(&mut self, Emitted { info, content }: Emitted) {
        if !self.run.admit(&info.name) {
            return;
        }
        let file = self.moving(info, content);
        let (run, scratch, at) = (self.run.clone(), self.scratch.clone(), self.at);
        match self.lane.take().or_else(|| run.try_lane().map(Arc::new)) {
            Some(lane) => self.members.spawn(run.advance(file, at, lane, scratch)),
            None => self.members.spawn(wait_in_scratch(run, file, at, scratch)),
        };
    }

    /// Takes an output that is complete and lies in scratch.
    pub(super) fn stored(&mut self, StoredFile { info, file: stored }: StoredFile) {
        if !self.run.admit(&info.name) {
            return;
        }
        // The content comes when the file is opened.
        let (_, nothing) = channel(1);
        let file = self.moving(info, nothing);
        let (run, scratch, at, lane) = (
            self.run.clone(),
            self.scratch.clone(),
            self.at,
            self.lane.take(),
        );
        self.members.spawn(async move {
            let lane = match lane {
                Some(lane) => Some(lane),
                None => run.lane().await.map(Arc::new),
            };
            if let Some(lane) = lane {
                run.resume(file, stored, at, lane, scratch).await;
            }
        });
    }

    /// Waits for all of them. The input's own lane is given back first: they may need it.
    pub(super) async fn finish(mut self) {
        self.lane = None;
        while let Some(member) = self.members.join_next().await {
            if let Err(error) = member
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}

/// Takes a file in while no lane is free, and sends it on when one is.
async fn wait_in_scratch(run: Arc<Run>, mut file: Moving, at: usize, scratch: Scratch) {
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
    if let Some(lane) = run.lane().await {
        run.resume(file, stored, at, Arc::new(lane), scratch).await;
    }
}
