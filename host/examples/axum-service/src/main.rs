//! `axum-service FOLDER [ADDRESS]`: serves the pipelines of a folder. See the library beside it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use axum_service::{Service, serve};
use forebay::{Assets, Host};

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args
        .next()
        .context("usage: axum-service FOLDER [ADDRESS]")?;
    let address = args.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let key = std::env::var("HEYGEN_API_KEY").ok();
    let assets = key
        .map(|key| Assets::builder().api_key(key).build())
        .transpose()?;
    let service = Service::start(Host::builder().build()?, folder.into(), assets).await?;
    let listener = tokio::net::TcpListener::bind(&address)
        .await
        .context(address)?;
    eprintln!("axum-service: listens on http://{}", listener.local_addr()?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    serve(service, listener, stop, Duration::from_secs(10)).await
}
