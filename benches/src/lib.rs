//! Benchmarks of forebay; see `benches/`.
