//! Makes `cargo xtask demo` and `cargo xtask test` share what they compile.
//!
//! This crate is empty: what counts are the dependencies in its manifest. Cargo gives a dependency the features that
//! anything in the build asks for, and compiles it anew where these differ. The tests ask for more than the command
//! does, so the command alone would have another wasmtime than the tests, and `cargo xtask test` would compile it a
//! second time. `cargo xtask demo` builds this crate beside the command: it asks for what the tests ask for, of the
//! crates that the command has too. A test of `xtask` says which feature is missing.
