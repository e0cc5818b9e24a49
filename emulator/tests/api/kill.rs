//! An emulator in a process of its own, killed in the middle of its work.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay_emulator::{AssetStatus, Emulator, StoredAsset};
use reqwest::Response;
use serde_json::{Value, json};

use crate::common::{eventually, form, mp4, names, sha256};

/// Tells the test below that it is the process to be killed, and where its folder is.
const FOLDER: &str = "FOREBAY_EMULATOR_TEST_FOLDER";

/// Not a test but the process that the next one kills.
#[tokio::test]
#[ignore = "serves until it is killed"]
async fn serve() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let emulator = Emulator::builder().data_dir(folder).start().await.unwrap();
    println!("\n{}", emulator.base_url());
    std::future::pending::<()>().await;
}

/// A process that ends with the test, however the test ends.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        // SIGKILL, on Unix.
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn spawn(folder: &Path) -> (Victim, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::serve", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let victim = Victim(child);
    let mut urls = lines.map_while(Result::ok);
    let url = urls.find(|line| line.starts_with("http://")).unwrap();
    (victim, url)
}

/// What the clients were told before the kill.
#[derive(Default)]
struct Told {
    /// The SHA-256 of each asset that was answered as made.
    made: BTreeMap<String, String>,
    /// Those whose deletion was answered.
    gone: BTreeSet<String>,
    /// Those whose deletion was asked for and may have happened.
    perhaps_gone: BTreeSet<String>,
}

async fn data(response: reqwest::Result<Response>) -> Option<Value> {
    let mut body: Value = response.ok()?.json().await.ok()?;
    Some(body["data"].take())
}

/// Uploads by both flows and deletes every third, until a request fails.
async fn work(base: String, seed: usize, told: Arc<Mutex<Told>>) -> Option<()> {
    let client = forebay_emulator::client().unwrap().build().unwrap();
    let post = |path: &str| {
        client
            .post(format!("{base}{path}"))
            .header("x-api-key", "k")
    };
    for round in 0.. {
        let mut bytes = mp4(50_000 + round);
        bytes[40] = seed as u8;
        let id = if round % 2 == 0 {
            let request = post("/v3/assets").multipart(form("a.mp4", bytes.clone()));
            data(request.send().await).await?["asset_id"]
                .as_str()?
                .to_owned()
        } else {
            let wish =
                json!({"filename": "a", "content_type": "video/mp4", "size_bytes": bytes.len()});
            let request = post("/v3/assets/direct-uploads").json(&wish);
            let slot = data(request.send().await).await?;
            let put = client.put(slot["upload_url"].as_str()?);
            let put = put.header("content-type", "video/mp4").body(bytes.clone());
            put.send().await.ok()?;
            let id = slot["asset_id"].as_str()?.to_owned();
            let complete = post(&format!("/v3/assets/{id}/complete")).json(&json!({}));
            data(complete.send().await).await?["url"].as_str()?;
            id
        };
        told.lock().unwrap().made.insert(id.clone(), sha256(&bytes));
        if round % 3 == 2 {
            told.lock().unwrap().perhaps_gone.insert(id.clone());
            let delete = client.delete(format!("{base}/v3/assets/{id}"));
            data(delete.header("x-api-key", "k").send().await).await?;
            told.lock().unwrap().gone.insert(id);
        }
    }
    None
}

/// Whether what the clients were told holds of the assets that are left.
fn check(told: &Told, assets: &[StoredAsset]) {
    for (id, sha256) in &told.made {
        match assets.iter().find(|asset| asset.id == *id) {
            Some(asset) => {
                assert_eq!(asset.status, AssetStatus::Completed);
                assert_eq!(asset.sha256.as_ref(), Some(sha256));
                assert!(!told.gone.contains(id), "a deleted asset came back");
            }
            None => assert!(told.perhaps_gone.contains(id), "an asset was lost"),
        }
    }
}

#[tokio::test]
async fn a_kill_leaves_whole_assets_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Told::default()));
    for round in 0..8 {
        let (victim, base) = spawn(dir.path());
        let clients: Vec<_> = (0..4)
            .map(|seed| tokio::spawn(work(base.clone(), seed, told.clone())))
            .collect();
        // At another moment each time, once there is something to lose.
        let before = told.lock().unwrap().made.len();
        eventually(async || told.lock().unwrap().made.len() > before + 1).await;
        tokio::time::sleep(Duration::from_millis(37 * round)).await;
        drop(victim);
        for client in clients {
            client.await.unwrap();
        }

        let emulator = Emulator::builder().data_dir(dir.path()).start().await;
        let emulator = emulator.unwrap();
        let mut files = 0;
        let assets = emulator.assets();
        for asset in &assets {
            let Some(path) = &asset.path else { continue };
            files += 1;
            let bytes = std::fs::read(path).unwrap();
            assert_eq!(asset.sha256, Some(sha256(&bytes)), "{asset:?}");
        }
        let on_disk =
            names(&dir.path().join("assets")).len() + names(&dir.path().join("incoming")).len();
        assert_eq!(on_disk, files, "no file without a record");

        check(&told.lock().unwrap(), &assets);
        emulator.shutdown().await;
    }
    assert!(
        told.lock().unwrap().made.len() > 8,
        "there was work to lose"
    );
}
