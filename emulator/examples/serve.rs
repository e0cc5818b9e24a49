//! Serves the Assets API on loopback until Ctrl-C: `cargo run -p forebay-emulator --example serve`.

use forebay_emulator::Emulator;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::builder().max_bytes(8 << 30).start().await?;
    println!("listening on {}", emulator.base_url());
    tokio::signal::ctrl_c().await?;
    emulator.shutdown().await;
    Ok(())
}
