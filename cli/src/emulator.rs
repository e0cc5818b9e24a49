//! `forebay emulator`.

use anyhow::{Context as _, Result};
use forebay_emulator::{Config, Emulator, RateLimit, S3};

use crate::Outcome;
use crate::args::EmulatorArgs;

/// Serves until the command is interrupted.
pub(crate) async fn serve(args: EmulatorArgs) -> Result<Outcome> {
    let config = Config {
        max_bytes: args.max_bytes.as_u64(),
        // The requests of one second may come all at once.
        rate_limit: args.rate_limit.and_then(|rate| RateLimit::new(rate, rate)),
        ..Config::default()
    };
    let mut builder = Emulator::builder().listen(args.listen).config(config);
    for fault in args.faults {
        builder = builder.fault(fault);
    }
    if let (Some(endpoint), Some(bucket)) = (args.s3_endpoint, args.s3_bucket) {
        let secret = |name: &str| std::env::var(name).with_context(|| format!("set {name}"));
        builder = builder.s3(S3 {
            endpoint,
            region: args.s3_region,
            bucket,
            access_key: secret("AWS_ACCESS_KEY_ID")?,
            secret_key: secret("AWS_SECRET_ACCESS_KEY")?,
        });
    }
    if let Some(folder) = args.data {
        builder = builder.data_dir(folder);
    }
    if let Some(key) = args.api_key {
        builder = builder.api_key(key);
    }
    let emulator = builder.start().await?;
    say!("listening on {}", emulator.base_url());
    complain!(
        "use it with HEYGEN_BASE_URL={} and any HEYGEN_API_KEY that it takes; Ctrl-C ends it",
        emulator.base_url()
    );
    crate::signals::wait().await;
    emulator.shutdown().await;
    Ok(Outcome::Done)
}
