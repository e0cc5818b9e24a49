//! Passes bytes through, unchanged: for tests, benches and a first look at forebay.

use forebay_plugin::{About, Error, Input, Output, StreamPlugin};
use schemars::JsonSchema;

/// The config of `identity`.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes read at a time.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub buffer: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { buffer: 256 * 1024 }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct Identity;

impl StreamPlugin for Identity {
    type Config = Config;
    const ABOUT: About = About {
        name: "identity",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Passes bytes through, unchanged",
        accepts: &["*/*"],
        produces: &[],
    };

    async fn transform(mut input: Input, config: Config) -> Result<(), Error> {
        input.set_buffer_size(config.buffer);
        let mut output = Output::open(input.info().clone()).await;
        let mut chunk = Vec::new();
        while input.fill(&mut chunk).await {
            output.write(&mut chunk).await?;
        }
        output.finish().await
    }
}

forebay_plugin::export_stream!(Identity);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_config_can_be_described() {
        forebay_plugin::config_schema::<Config>().unwrap();
    }
}
