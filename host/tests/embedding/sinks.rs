//! Sinks of a service: memory with a bound.

use forebay::{Error, ErrorKind, Memory, SinkError, Source};

use super::{host, identity, patiently};

#[tokio::test(flavor = "multi_thread")]
async fn memory_holds_no_more_than_it_may_and_has_room_again_when_it_is_taken() {
    let (host, sink) = (host(), Memory::at_most(10));
    let pipeline = identity(&host).await;
    let run =
        |content: &'static str| host.run(&pipeline, Source::bytes("a.txt", content), sink.clone());
    patiently(run("123456")).await.unwrap();
    let error = patiently(run("12345")).await.unwrap_err().errors.remove(0);
    assert!(
        matches!(
            error,
            Error::Sink {
                reason: SinkError::Full(10),
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::Limit);
    patiently(run("1234")).await.unwrap();
    patiently(run("1")).await.unwrap_err();
    let files: Vec<_> = sink.take().into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(files, ["123456", "1234"]);
    patiently(run("1234567890")).await.unwrap();
    assert_eq!(sink.take()[0].1, "1234567890");
}
