//! How many instances of components a component makes of itself.
//!
//! Promise: the count is never too low. A component can have components within it, and make instances of each as often as it
//! likes. Each instance that has functions of its own can hold one call that waits, and with it a stack of the host's. The
//! component model allows no second one: an instance whose call waits is not entered.

use wasmparser::{
    BinaryReaderError, CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Encoding, Payload,
};

/// Instances of a component that is not known: it was imported, or is an export of another.
const UNKNOWN: u32 = u32::MAX;

/// Counts instances while a component is read from its beginning to its end.
#[derive(Debug, Default)]
pub(super) struct Instances {
    /// The components and modules that are open, the innermost last.
    open: Vec<Part>,
    /// Those of the whole, once it is closed.
    all: u32,
}

/// A component, or a module.
#[derive(Debug, Default)]
struct Part {
    is_component: bool,
    /// For each component in its index space, how many instances one instance of it has.
    components: Vec<u32>,
    /// Whether it has functions of its own.
    has_functions: bool,
    /// Instances within it.
    within: u32,
}

impl Part {
    fn instances(&self) -> u32 {
        self.within.saturating_add(self.has_functions.into())
    }
}

impl Instances {
    /// Instances of the whole component with functions of their own.
    pub(super) fn all(&self) -> u32 {
        self.all
    }

    /// The component with this index, in the component that is so many levels further out.
    fn component(&self, outward: u32, index: u32) -> u32 {
        let at = self.open.len().checked_sub(outward as usize + 1);
        let part = at.and_then(|at| self.open.get(at));
        let known = part.and_then(|part| part.components.get(index as usize));
        known.copied().unwrap_or(UNKNOWN)
    }

    /// Adds a component to the index space of the innermost one.
    fn add(&mut self, instances: u32) {
        if let Some(part) = self.open.last_mut() {
            part.components.push(instances);
        }
    }

    /// Takes the next part of the component.
    pub(super) fn part(&mut self, part: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match part {
            Payload::Version { encoding, .. } => self.open.push(Part {
                is_component: *encoding == Encoding::Component,
                ..Part::default()
            }),
            Payload::End(_) => {
                let closed = self.open.pop().unwrap_or_default();
                self.all = closed.instances();
                if closed.is_component {
                    self.add(closed.instances());
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    if matches!(import?.ty, ComponentTypeRef::Component(_)) {
                        self.add(UNKNOWN);
                    }
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    if export.kind == ComponentExternalKind::Component {
                        self.add(self.component(0, export.index));
                    }
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases.clone() {
                    match alias? {
                        ComponentAlias::InstanceExport {
                            kind: ComponentExternalKind::Component,
                            ..
                        } => self.add(UNKNOWN),
                        ComponentAlias::Outer {
                            kind: ComponentOuterAliasKind::Component,
                            count,
                            index,
                        } => self.add(self.component(count, index)),
                        _ => {}
                    }
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances.clone() {
                    if let ComponentInstance::Instantiate {
                        component_index, ..
                    } = instance?
                    {
                        let made = self.component(0, component_index);
                        if let Some(part) = self.open.last_mut() {
                            part.within = part.within.saturating_add(made);
                        }
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions.clone() {
                    if let (CanonicalFunction::Lift { .. }, Some(part)) =
                        (function?, self.open.last_mut())
                    {
                        part.has_functions = true;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn count(text: &str) -> u32 {
        let bytes = wat::parse_str(text).unwrap();
        let mut instances = Instances::default();
        for part in wasmparser::Parser::new(0).parse_all(&bytes) {
            instances.part(&part.unwrap()).unwrap();
        }
        instances.all()
    }

    /// A component with a function of its own.
    const LEAF: &str = r#"(component $leaf
        (core module $m (func (export "f")))
        (core instance $m (instantiate $m))
        (func (export "f") (canon lift (core func $m "f"))))"#;

    #[test]
    fn instances_with_functions_are_counted() {
        assert_eq!(count("(component)"), 0);
        assert_eq!(count(LEAF), 1);
        // One that is there and not used.
        assert_eq!(count(&format!("(component {LEAF})")), 0);
        let twice = "(instance (instantiate $leaf)) (instance (instantiate $leaf))";
        assert_eq!(count(&format!("(component {LEAF} {twice})")), 2);
        // Ones that only pass on what they are given, as toolchains make for each interface that is exported.
        let passing = r#"
            (component $passing (import "f" (func $f)) (export "g" (func $f)))
            (instance $i (instantiate $leaf))
            (instance (instantiate $passing (with "f" (func $i "f"))))"#;
        assert_eq!(count(&format!("(component {LEAF} {passing})")), 1);
    }

    #[test]
    fn instances_multiply() {
        let mut levels = String::new();
        for level in 0..40 {
            let below = match level {
                0 => "leaf".to_owned(),
                level => format!("c{}", level - 1),
            };
            // The one below stands outside of it.
            levels += &format!(
                "(component $c{level} (alias outer 1 ${below} (component $below))
                    (instance (instantiate $below)) (instance (instantiate $below)))"
            );
        }
        let of = |last: &str| {
            count(&format!(
                "(component {LEAF} {levels} (instance (instantiate ${last}))) "
            ))
        };
        assert_eq!(of("c0"), 2);
        assert_eq!(of("c5"), 64);
        assert_eq!(of("c39"), u32::MAX);
    }

    #[test]
    fn what_is_not_known_counts_as_all() {
        let imported = r#"(component
            (import "c" (component $c))
            (instance (instantiate $c)))"#;
        assert_eq!(count(imported), UNKNOWN);
        let exported = format!(
            r#"(component
                (component $outer {LEAF} (export "leaf" (component $leaf)))
                (instance $outer (instantiate $outer))
                (alias export $outer "leaf" (component $leaf))
                (instance (instantiate $leaf)))"#
        );
        assert_eq!(count(&exported), UNKNOWN);
        let renamed = format!(
            r#"(component {LEAF}
                (export $named "named" (component $leaf))
                (instance (instantiate $named)))"#
        );
        assert_eq!(count(&renamed), 1);
    }
}
