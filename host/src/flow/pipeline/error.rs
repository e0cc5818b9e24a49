//! Why a pipeline is refused.

/// Why a pipeline is refused before anything runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// A config does not fit its plugin's schema.
    #[error("{place}: config: {problem}")]
    Config {
        /// The stage or the workflow.
        place: String,
        /// The field and what is wrong with it.
        problem: String,
    },
    /// The next stage accepts nothing that a stage can emit.
    #[error("stage {to} takes {takes}, but stage {from} gives {gives}")]
    MediaTypes {
        /// The earlier stage.
        from: String,
        /// What it can emit.
        gives: String,
        /// The later stage.
        to: String,
        /// What it accepts.
        takes: String,
    },
    /// A stage is only for some files, and takes none of those that can come to it.
    #[error(
        "stage {stage} would never run: it is for {when}, its plugin takes {takes}, and it gets {gets}"
    )]
    NeverRuns {
        /// The stage.
        stage: String,
        /// Which files it is for.
        when: String,
        /// What its plugin accepts.
        takes: String,
        /// What can come to it.
        gets: String,
    },
    /// A plugin of one world is used where another world is needed.
    #[error("{place}: plugin {plugin} {problem}")]
    World {
        /// The stage or the workflow.
        place: String,
        /// The plugin's own name.
        plugin: String,
        /// What it is or is not.
        problem: &'static str,
    },
    /// A plugin imports more than it is granted, or has a grant that cannot be given.
    #[error("{place}: plugin {plugin}: {problem}")]
    Grants {
        /// The stage or the workflow.
        place: String,
        /// The plugin's own name.
        plugin: String,
        /// The import or the grant, and what is wrong with it.
        problem: String,
    },
    /// The pipeline needs more instances than the host has.
    #[error(
        "{stages} stages take {instances} instances, but this host runs at most {most} at a time; allow more instances, or \
         put fewer stages or plugins of fewer components together"
    )]
    TooLong {
        /// How many stages the pipeline has.
        stages: usize,
        /// How many instances they take. A plugin that is put together from many components counts as several.
        instances: usize,
        /// How many instances the host may run.
        most: usize,
    },
    /// The TOML could not be read as pipelines.
    #[error("{0}")]
    Toml(String),
}
