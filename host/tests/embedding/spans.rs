//! The spans of a job, and what is logged within them.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use forebay::{Memory, Source};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use super::{host, pipeline};

/// Notes spans and events, each with the names of the spans around it.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

/// Writes fields as ` name=value`.
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Notes {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields(String::new());
        attributes.record(&mut fields);
        let scope = context.span_scope(id).unwrap().from_root();
        let names: Vec<_> = scope.map(|span| span.name()).collect();
        self.0.lock().unwrap().push(names.join(">") + &fields.0);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        let scope = context.event_scope(event).into_iter().flatten();
        let names: Vec<_> = scope.map(|span| span.name()).collect();
        self.0.lock().unwrap().push(names.join("<") + &fields.0);
    }
}

/// All tasks run on this thread, whose subscriber it is.
#[tokio::test]
async fn stages_and_deliveries_have_spans_in_that_of_their_job() {
    let host = host();
    let stages: [(&[u8], _); 1] = [(forebay_bundled::IDENTITY, json!({}))];
    let passes = pipeline(&host, &stages).await;
    let text = json!({ "behaviour": "print", "text": "a word of the plugin" });
    let prints = pipeline(&host, &[(forebay_test_plugins::HOSTILE, text)]).await;
    let notes = Notes::default();
    let subscriber = tracing_subscriber::registry().with(notes.clone());
    let _guard = tracing::subscriber::set_default(subscriber);

    let digest = passes.stages()[0].plugin().digest().to_owned();
    let source = || Source::bytes("a.txt", "some words");
    host.run(&passes, source(), Memory::new()).await.unwrap();
    host.run(&prints, source(), Memory::new())
        .await
        .unwrap_err();
    let notes = notes.0.lock().unwrap();
    let has = |start: &str, part: &str| {
        notes
            .iter()
            .any(|note| note.starts_with(start) && note.contains(part))
    };
    assert!(
        has("job pipeline=\"test\" source=\"a.txt\"", ""),
        "{notes:#?}"
    );
    assert!(
        has(
            "job>stage job=\"test\" stage=\"1 identity\" plugin=\"identity\"",
            &digest
        ),
        "{notes:#?}"
    );
    assert!(
        has("job>delivery job=\"test\" file=\"a.txt\"", ""),
        "{notes:#?}"
    );
    // Within the stage there is the call of the engine.
    assert!(
        has("", "stage<job message=a word of the plugin"),
        "{notes:#?}"
    );
}
