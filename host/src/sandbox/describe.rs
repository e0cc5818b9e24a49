//! Asking a plugin what it is.

use forebay_core::channel::Interrupted;
use wasmtime::Store;

use super::bindings::Descriptor;
use super::cause::StageEnd;
use super::engine::Engine;
use super::grants::Granted;
use super::guest::Guest;
use super::limits::Limits;
use super::pre::Pre;
use super::state::StageState;

/// Asks a plugin for its descriptor.
pub(crate) async fn describe(
    engine: &Engine,
    pre: &Pre,
    limits: Limits,
) -> Result<Descriptor, String> {
    let state = StageState::new(&limits, &Granted::default());
    let state = state.map_err(|error| format!("{error:#}"))?;
    let mut guest = Guest::new(engine, state, limits);
    let call = async |store: &mut Store<StageState>| match pre {
        Pre::Stream(pre) => {
            let plugin = pre.instantiate_async(&mut *store).await?;
            store
                .run_concurrent(async |accessor| {
                    plugin
                        .forebay_plugin_transform()
                        .call_describe(accessor)
                        .await
                })
                .await?
        }
        Pre::File(pre) => {
            let plugin = pre.instantiate_async(&mut *store).await?;
            plugin
                .forebay_plugin_file_transform()
                .call_describe(&mut *store)
                .await
        }
        Pre::Workflow(pre) => {
            let plugin = pre.instantiate_async(&mut *store).await?;
            store
                .run_concurrent(async |accessor| {
                    plugin
                        .forebay_plugin_workflow()
                        .call_describe(accessor)
                        .await
                })
                .await?
        }
    };
    match guest.run(call).await {
        Ok(descriptor) => Ok(descriptor),
        Err(StageEnd::Failed(cause)) => Err(cause.to_string()),
        Err(StageEnd::Interrupted) => Err(Interrupted.to_string()),
    }
}
