//! Limits that wasmtime tells in words.
//!
//! wasmtime 48 has no public types for these errors. The tests provoke each of them, so a wasmtime with other words fails here.
//! A message must be as a whole what is expected: parts of others may be names that a plugin chose.

use super::{Exceeded, Limits};

/// One call had more copied than `Store::set_hostcall_fuel` allows.
const COPIED: &str = "too much data is being copied between the host and the guest: fuel allocated for hostcalls has been \
                      exhausted";

/// There are as many handles as `Store::set_max_component_handles` allows: none can be made, or be lent.
const HANDLES: [&str; 2] = [
    "cannot allocate another handle: store handle limit exceeded",
    "cannot lend resource: store handle limit exceeded",
];

/// The limit that this message tells of.
pub(crate) fn limit_in_words(message: &str, limits: &Limits) -> Option<Exceeded> {
    if message == COPIED {
        Some(Exceeded::CallBytes(limits.call_bytes))
    } else if HANDLES.contains(&message) {
        Some(Exceeded::Handles(limits.handles))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use wasmtime::component::{Component, Linker};
    use wasmtime::{Engine, Store};

    use super::*;

    /// Calls `run` of a component, and says which limit ended it.
    fn ended_by(component: &str, hold: impl FnOnce(&mut Store<()>)) -> Option<Exceeded> {
        let engine = Engine::default();
        let component = wat::parse_str(component).unwrap();
        let component = Component::new(&engine, component).unwrap();
        let mut linker = Linker::new(&engine);
        linker
            .root()
            .func_wrap("take", |_, _: (String,)| Ok(()))
            .unwrap();
        let mut store = Store::new(&engine, ());
        hold(&mut store);
        let instance = linker.instantiate(&mut store, &component).unwrap();
        let run = instance
            .get_typed_func::<(), ()>(&mut store, "run")
            .unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        limit_in_words(&error.root_cause().to_string(), &Limits::default())
    }

    #[test]
    fn bytes_that_a_call_has_copied() {
        let component = r#"(component
            (import "take" (func $take (param "text" string)))
            (core module $memory (memory (export "memory") 1))
            (core instance $memory (instantiate $memory))
            (core func $take (canon lower (func $take) (memory (core memory $memory "memory"))))
            (core module $code
                (import "host" "take" (func $take (param i32 i32)))
                (func (export "run") (call $take (i32.const 0) (i32.const 1000))))
            (core instance $code (instantiate $code (with "host" (instance (export "take" (func $take))))))
            (func (export "run") (canon lift (core func $code "run"))))"#;
        let ended = ended_by(component, |store| store.set_hostcall_fuel(100));
        assert_eq!(
            ended,
            Some(Exceeded::CallBytes(Limits::default().call_bytes))
        );
    }

    /// A component that makes a handle and lends it, or makes handles without end.
    fn handles(lends: bool) -> String {
        let body = if lends {
            "(call $borrow (call $new (i32.const 7)))"
        } else {
            "(loop (drop (call $new (i32.const 7))) (br 0))"
        };
        format!(
            r#"(component
            (type $thing' (resource (rep i32)))
            (component $borrower
                (import "thing" (type $thing (sub resource)))
                (core module $code (func (export "borrow") (param i32)))
                (core instance $code (instantiate $code))
                (func (export "borrow") (param "thing" (borrow $thing)) (canon lift (core func $code "borrow"))))
            (instance $borrower (instantiate $borrower (with "thing" (type $thing'))))
            (core func $borrow (canon lower (func $borrower "borrow")))
            (core func $new (canon resource.new $thing'))
            (core module $code
                (import "host" "new" (func $new (param i32) (result i32)))
                (import "host" "borrow" (func $borrow (param i32)))
                (func (export "run") {body}))
            (core instance $code (instantiate $code (with "host" (instance
                (export "new" (func $new)) (export "borrow" (func $borrow))))))
            (func (export "run") (canon lift (core func $code "run"))))"#
        )
    }

    #[test]
    fn handles_that_are_made_or_lent() {
        for (lends, most) in [(false, 100), (true, 1)] {
            let ended = ended_by(&handles(lends), |store| {
                store.set_max_component_handles(most);
            });
            let limit = Limits::default().handles;
            assert_eq!(ended, Some(Exceeded::Handles(limit)), "lends: {lends}");
        }
    }
}
