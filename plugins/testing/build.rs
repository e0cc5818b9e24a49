//! Builds the test plugins as `forebay-bundled` builds the standard ones.

#[path = "../bundled/build/guests.rs"]
mod guests;

fn main() -> guests::Result<()> {
    let workspace = guests::workspace()?.ok_or("this crate is built in its workspace only")?;
    guests::build(
        &workspace,
        &[
            "drill",
            "hostile",
            "hostile-describe",
            "hostile-file",
            "wasi3",
            "wasi3-folders",
        ],
    )
}
