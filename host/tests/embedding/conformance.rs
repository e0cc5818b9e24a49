//! The suite for sinks, over all sinks of the library, and over some that are wrong.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use forebay::testing::{Visible, check_sink};
use forebay::{
    Assets, AssetsExt as _, Delivered, Folder, Memory, Outgoing, Sink, SinkError, Spooled,
};
use forebay_emulator::Emulator;

use super::host;

struct InMemory(Memory);

#[async_trait]
impl Visible for InMemory {
    async fn take(&self) -> Vec<Bytes> {
        self.0.take().into_iter().map(|(_, bytes)| bytes).collect()
    }
}

struct InFolder(PathBuf);

#[async_trait]
impl Visible for InFolder {
    async fn take(&self) -> Vec<Bytes> {
        let entries = self
            .0
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files = entries.map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::remove_file(path).unwrap();
            bytes.into()
        });
        files.collect()
    }
}

struct InService(Emulator, Assets, reqwest::Client);

#[async_trait]
impl Visible for InService {
    async fn take(&self) -> Vec<Bytes> {
        let Self(emulator, assets, client) = self;
        let mut files = Vec::new();
        for asset in emulator.assets() {
            let url = assets.get(&asset.id).await.unwrap().url;
            let answer = client.get(url.unwrap()).send().await.unwrap();
            files.push(answer.bytes().await.unwrap());
            assets.delete(&asset.id).await.unwrap();
        }
        files
    }

    async fn settle(&self) {
        self.1.settle().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_folders_and_what_is_spooled_conform() {
    let host = host();
    let memory = Memory::new();
    check_sink(&host, memory.clone(), &InMemory(memory.clone()))
        .await
        .unwrap();
    check_sink(&host, Spooled::new(memory.clone()), &InMemory(memory))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sink = Folder::new(folder.path()).unwrap();
    check_sink(&host, sink, &InFolder(folder.path().to_owned()))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_of_the_service_conforms() {
    let emulator = Emulator::builder().start().await.unwrap();
    let assets = Assets::builder()
        .api_key("a-key")
        .base_url(emulator.base_url())
        .retries(3, Duration::from_millis(20))
        .no_proxy()
        .build()
        .unwrap();
    let client = forebay_emulator::client().unwrap().build().unwrap();
    let service = InService(emulator, assets.clone(), client);
    check_sink(&host(), assets.sink(), &service).await.unwrap();
}

/// Counts what it is given, and keeps nothing.
struct Forgetful;

#[async_trait]
impl Sink for Forgetful {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        let mut size = 0;
        while let Some(piece) = file.content.next().await? {
            size += piece.len() as u64;
        }
        Ok(Delivered::custom(size, "counted".into()))
    }
}

/// Shows a file as soon as it begins.
struct Early(PathBuf);

#[async_trait]
impl Sink for Early {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        let mut bytes = Vec::new();
        loop {
            std::fs::write(self.0.join(&file.info.name), &bytes).unwrap();
            let Some(piece) = file.content.next().await? else {
                return Ok(Delivered::custom(bytes.len() as u64, "written".into()));
            };
            bytes.extend_from_slice(&piece);
        }
    }
}

/// Says that it failed by itself where the file broke off.
struct Blaming(Memory);

#[async_trait]
impl Sink for Blaming {
    async fn put(&self, file: Outgoing) -> Result<Delivered, SinkError> {
        let put = self.0.put(file).await;
        put.map_err(|error| SinkError::Other(error.to_string().into()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sinks_that_are_wrong_are_told_what_is_wrong() {
    let host = host();
    let memory = Memory::new();
    let visible = InMemory(memory.clone());
    let forgets = check_sink(&host, Forgetful, &visible).await.unwrap_err();
    assert_eq!(
        forgets.to_string(),
        "a file of 9 bytes, of known size: files of [] bytes are visible; right are [9]"
    );
    let folder = tempfile::tempdir().unwrap();
    let early = Early(folder.path().to_owned());
    let shown = InFolder(folder.path().to_owned());
    let early = check_sink(&host, early, &shown).await.unwrap_err();
    assert!(
        early.case.starts_with("a file that breaks off after"),
        "{early}"
    );
    assert_eq!(early.problem, "is visible before its end");
    let blames = check_sink(&host, Blaming(memory), &visible)
        .await
        .unwrap_err();
    assert!(
        blames.case.starts_with("a file that breaks off after"),
        "{blames}"
    );
    assert!(blames.problem.contains("source alone"), "{blames}");
}
