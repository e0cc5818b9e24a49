//! Plugins in text, written from `wit/` alone: no toolchain and no bindings stand between them and the host.

/// A plugin in text: what it imports, its code with what that needs of the host, and its functions. Its `describe` returns
/// 64, where a descriptor lies; at 32 lie zeros.
pub(crate) fn plugin(imports: &str, needs: &str, code: &str, exports: &str) -> Vec<u8> {
    wat::parse_str(text("$plugin", imports, needs, code, exports)).unwrap()
}

/// The text of a plugin, called this.
fn text(name: &str, imports: &str, needs: &str, code: &str, exports: &str) -> String {
    format!(
        r#"(component {name}
    {TYPES}
    (core module $memory
        (memory (export "memory") 2)
        (global $next (mut i32) (i32.const 4096))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
            (global.get $next)
            (global.set $next (i32.add (global.get $next) (local.get 3)))))
    (core instance $memory (instantiate $memory))
    {imports}
    (core module $plugin
        (import "host" "memory" (memory 2))
        ;; The descriptor: name, version, summary, accepts, produces and schema, each by address and length.
        (data (i32.const 64) "\00\01\00\00\06\00\00\00" "\06\01\00\00\05\00\00\00" "\0b\01\00\00\08\00\00\00"
            "\20\01\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00")
        (data (i32.const 256) "only-31.2.3A plugin")
        (data (i32.const 288) "\28\01\00\00\03\00\00\00" "*/*")
        {code})
    (core instance $plugin (instantiate $plugin (with "host" (instance
        (export "memory" (memory $memory "memory")) {needs}))))
    (func $describe (result $descriptor)
        (canon lift (core func $plugin "describe") (memory (core memory $memory "memory"))))
    {exports})"#
    )
}

/// The types of the contract.
const TYPES: &str = r#"
    (import "forebay:plugin/types@0.2.0" (instance $types
        (type $file-info' (record
            (field "name" string) (field "media-type" string) (field "size" (option u64))))
        (export "file-info" (type (eq $file-info')))
        (type $descriptor' (record
            (field "name" string) (field "version" string) (field "summary" string)
            (field "accepts" (list string)) (field "produces" (list string)) (field "config-schema" string)))
        (export "descriptor" (type (eq $descriptor')))
        (type $error' (variant
            (case "unsupported" string) (case "invalid-input" string) (case "invalid-config" string)
            (case "failed" string)))
        (export "error" (type (eq $error')))))
    (alias export $types "file-info" (type $file-info))
    (alias export $types "descriptor" (type $descriptor))
    (alias export $types "error" (type $error))"#;

/// What a stream plugin exports.
pub(crate) const TRANSFORM: &str = r#"
    (func $transform async (param "input" $file-info) (param "content" (stream u8)) (param "config" string)
        (result (result (error $error)))
        (canon lift (core func $plugin "transform") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (instance $transform
        (export "describe" (func $describe))
        (export "transform" (func $transform)))
    (export "forebay:plugin/transform@0.2.0" (instance $transform))"#;

/// A function of the host or of another instance: its name, its definition, its type.
pub(crate) type Function<'a> = (&'a str, &'a str, &'a str);

/// A stream plugin whose `transform` does this. `before` is what the functions need to be defined. The content is `$content`,
/// and the call of [`PASS_ON`] makes an output of it.
pub(crate) fn transform(before: &str, functions: &[Function], body: &str) -> Vec<u8> {
    transform_with(before, functions, body, "", TRANSFORM)
}

/// As [`transform`], with more in its code, and exports of its own.
pub(crate) fn transform_with(
    before: &str,
    functions: &[Function],
    body: &str,
    more: &str,
    exports: &str,
) -> Vec<u8> {
    let (imports, needs, code) = parts(before, functions, body);
    plugin(&imports, &needs, &format!("{code}{more}"), exports)
}

/// As [`transform`], put together with other components: `beside` makes instances of them, and `with` names what they give to
/// the plugin. Instances that stand side by side may call each other; one may not call those within it.
pub(crate) fn composed(
    beside: &str,
    with: &str,
    before: &str,
    functions: &[Function],
    body: &str,
) -> Vec<u8> {
    let (imports, needs, code) = parts(before, functions, body);
    let main = text("$main", &imports, &needs, &code, TRANSFORM);
    let whole = format!(
        r#"(component {TYPES}{OUTPUTS}{CLOCK}
            {main}
            {beside}
            (instance $main (instantiate $main
                (with "forebay:plugin/types@0.2.0" (instance $types))
                (with "forebay:plugin/outputs@0.2.0" (instance $outputs))
                (with "wasi:clocks/monotonic-clock@0.3.0" (instance $clock))
                {with}))
            (alias export $main "forebay:plugin/transform@0.2.0" (instance $transform))
            (export "forebay:plugin/transform@0.2.0" (instance $transform)))"#
    );
    wat::parse_str(whole).unwrap()
}

/// Imports with these functions, what they are called to the code, and the code.
fn parts(before: &str, functions: &[Function], body: &str) -> (String, String, String) {
    let (mut imports, mut needs, mut code) = (before.to_owned(), String::new(), String::new());
    for (name, definition, signature) in functions {
        imports += &format!("(core func ${name} {definition})\n");
        needs += &format!(r#"(export "{name}" (func ${name}))"#);
        code += &format!(r#"(import "host" "{name}" (func ${name} {signature}))"#);
    }
    code += &format!(
        r#"
        (func (export "describe") (result i32) i32.const 64)
        (func (export "transform")
            (param $name i32) (param i32 i32 i32 i32 i64) (param $content i32) (param i32 i32) (result i32)
            {body}
            i32.const 32)"#
    );
    (imports, needs, code)
}

/// Repeats this without end.
pub(crate) fn forever(body: &str) -> String {
    format!("(loop $again {body} (br $again))")
}

/// Repeats this so many times. The function needs the local variable `$turns`.
pub(crate) fn times(count: u32, body: &str) -> String {
    format!(
        "(local.set $turns (i32.const {count}))
        (loop $again
            {body}
            (br_if $again (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))"
    )
}

/// What a plugin needs for `emit`.
pub(crate) const OUTPUTS: &str = r#"
    (import "forebay:plugin/outputs@0.2.0" (instance $outputs
        (export "file-info" (type $info (eq $file-info)))
        (type $emit-error' (enum "closed"))
        (export "emit-error" (type $emit-error (eq $emit-error')))
        (export "emit" (func async
            (param "info" $info) (param "content" (stream u8)) (result (result (error $emit-error)))))))"#;

/// `emit`, which waits for its end.
pub(crate) const EMIT: Function<'static> = (
    "emit",
    r#"(canon lower (func $outputs "emit") (memory (core memory $memory "memory")))"#,
    "(param i32 i32 i32 i32 i32 i64 i32 i32)",
);

/// Passes the content on as the output. Needs [`OUTPUTS`] and [`EMIT`].
pub(crate) const PASS_ON: &str = "(call $emit
    (local.get $name) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
    (local.get $content) (i32.const 16))
    (if (i32.load8_u (i32.const 16)) (then unreachable))";

/// A clock of WASI 0.3, for [`plugin`].
pub(crate) const CLOCK: &str = r#"
    (import "wasi:clocks/monotonic-clock@0.3.0" (instance $clock
        (export "now" (func (result u64)))
        (export "wait-for" (func async (param "how-long" u64)))))"#;

/// What the time is, in nanoseconds. Needs [`CLOCK`].
pub(crate) const NOW: Function<'static> = (
    "now",
    r#"(canon lower (func $clock "now"))"#,
    "(result i64)",
);

/// A sleep. Needs [`CLOCK`].
pub(crate) const WAIT_FOR: Function<'static> = (
    "wait-for",
    r#"(canon lower (func $clock "wait-for"))"#,
    "(param i64)",
);

/// What errors standard streams of WASI 0.3 have.
pub(crate) const CLI: &str = r#"
    (import "wasi:cli/types@0.3.0" (instance $cli
        (type $error' (enum "io" "illegal-byte-sequence" "pipe"))
        (export "error-code" (type $error (eq $error')))))
    (alias export $cli "error-code" (type $cli-error))"#;
