//! A web service that runs pipelines over uploads.
//!
//! | request | answer |
//! |---|---|
//! | `POST /pipelines/NAME?name=photo.jpg` | the pipeline's one result, as it is made |
//! | `POST /pipelines/NAME?name=photo.jpg&to=assets` | results become assets; the report as JSON |
//! | `POST /reload` | reads pipelines and plugins again; jobs that run go on with the old ones |
//! | `GET /events` | what happens in all jobs, as server-sent events |
//! | `GET /metrics` | failures by kind, CPU time by plugin, places; in the text format of Prometheus |
//!
//! A failure before the first byte of a result is a status and a JSON object. After it, the connection breaks off.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use forebay::{Assets, AssetsExt as _, Event, Failure, Host, Job, JobError};
use forebay::{Pipeline, PipelineFile, Source};
use futures::StreamExt as _;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// How long a request waits for a place before it is answered with 503.
const QUEUE: Duration = Duration::from_secs(10);

/// How long clients may take to read the last answers when the service ends.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The service. Clones share everything.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    host: Host,
    /// The folder of `pipelines.toml` and the components.
    folder: PathBuf,
    pipelines: Mutex<HashMap<String, Pipeline>>,
    assets: Option<Assets>,
    /// Totals by name and labels.
    metrics: Mutex<BTreeMap<String, f64>>,
    events: broadcast::Sender<String>,
    stopping: CancellationToken,
}

impl Service {
    /// Loads the pipelines of a folder. `assets` is where `to=assets` leads.
    pub async fn start(host: Host, folder: PathBuf, assets: Option<Assets>) -> Result<Self> {
        let service = Self(Arc::new(Inner {
            host,
            folder,
            pipelines: Mutex::default(),
            assets,
            metrics: Mutex::default(),
            events: broadcast::channel(1024).0,
            stopping: CancellationToken::new(),
        }));
        service.reload().await?;
        Ok(service)
    }

    /// Reads pipelines and plugins again: all of them, or none if one is wrong.
    async fn reload(&self) -> Result<usize> {
        let Inner { host, folder, .. } = &*self.0;
        let file = PipelineFile::read(folder.join("pipelines.toml"))?;
        let mut pipelines = HashMap::new();
        for name in file.names() {
            let spec = file.pipeline(Some(name))?.clone();
            let mut pipeline = Pipeline::builder(name).limits(spec.limits);
            for stage in spec.stages {
                let plugin = host.load_file(&stage.plugin).await?;
                pipeline = stage.add_to(pipeline, &plugin);
            }
            let built = pipeline.build().context(name.to_owned())?;
            pipelines.insert(name.to_owned(), built);
        }
        let count = pipelines.len();
        *lock(&self.0.pipelines) = pipelines;
        Ok(count)
    }

    /// What all jobs have in common.
    fn watched<S>(&self, job: Job<S>) -> Job<S> {
        let service = self.clone();
        job.queue_timeout(QUEUE)
            .observe(move |event| service.on(event))
    }

    fn on(&self, event: &Event) {
        let count = |metric, more| *lock(&self.0.metrics).entry(metric).or_default() += more;
        match event {
            Event::Read { .. } | Event::Sent { .. } => return,
            Event::Failed { kind, failure } => {
                let code = &failure.code;
                count(
                    format!("failures_total{{kind=\"{kind}\",code=\"{code}\"}}"),
                    1.0,
                );
            }
            Event::Ended { report } => {
                let seconds = report.usage.cpu_time.as_secs_f64();
                count(
                    format!("cpu_seconds_total{{plugin=\"{}\"}}", report.plugin),
                    seconds,
                );
            }
            _ => {}
        }
        if let Ok(json) = serde_json::to_string(event) {
            // Fails if nobody listens.
            let _ = self.0.events.send(json);
        }
    }
}

/// Serves until `stop` is done, and takes no requests then. Jobs have `deadline` to end; those that are left are cancelled.
pub async fn serve(
    service: Service,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
    deadline: Duration,
) -> Result<()> {
    let routes = Router::new()
        .route("/pipelines/{pipeline}", post(run))
        .route("/reload", post(reload))
        .route("/events", get(events))
        .route("/metrics", get(metrics))
        .with_state(service.clone());
    let Inner {
        host,
        assets,
        stopping,
        ..
    } = &*service.0;
    let stopped = stopping.clone().cancelled_owned();
    let server = axum::serve(listener, routes).with_graceful_shutdown(stopped);
    let server = tokio::spawn(server.into_future());
    stop.await;
    stopping.cancel();
    host.drain(deadline).await;
    if let Some(assets) = assets {
        assets.settle().await;
    }
    // A client that does not read its answer is not waited for.
    match tokio::time::timeout(LAST_ANSWERS, server).await {
        Ok(ended) => Ok(ended??),
        Err(_) => Ok(()),
    }
}

#[derive(serde::Deserialize)]
struct Params {
    name: String,
    to: Option<String>,
}

async fn run(
    State(service): State<Service>,
    Path(pipeline): Path<String>,
    Query(Params { name, to }): Query<Params>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let Inner {
        host,
        assets,
        pipelines,
        ..
    } = &*service.0;
    let pipeline = lock(pipelines).get(&pipeline).cloned();
    let pipeline = pipeline.ok_or(Refusal::new(StatusCode::NOT_FOUND, "no such pipeline"))?;
    // A body that is cut fails the job, and so does one that has not the announced length.
    let mut source = Source::stream(&name, body.into_data_stream());
    let length = headers.get(header::CONTENT_LENGTH);
    if let Some(length) = length.and_then(|length| length.to_str().ok()?.parse().ok()) {
        source = source.size(length);
    }
    if to.as_deref() == Some("assets") {
        let assets = assets.as_ref();
        let assets = assets.ok_or(Refusal::new(StatusCode::NOT_FOUND, "no key for assets"))?;
        let job = host.job(&pipeline, source, assets.sink());
        let report = service.watched(job).run().await?;
        return Ok((StatusCode::CREATED, Json(report)).into_response());
    }
    let result = service
        .watched(host.pull(&pipeline, source))
        .single()
        .await?;
    let (media_type, size) = (result.info.media_type.clone(), result.info.size);
    let body = Body::from_stream(result);
    // The last byte comes only when the job has succeeded, so a length may be announced.
    let length = size.map(|size| [(header::CONTENT_LENGTH, size.to_string())]);
    Ok(([(header::CONTENT_TYPE, media_type)], length, body).into_response())
}

async fn reload(State(service): State<Service>) -> Result<String, Refusal> {
    match service.reload().await {
        Ok(count) => Ok(format!("{count} pipelines\n")),
        Err(error) => Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            &error.to_string(),
        )),
    }
}

async fn events(State(service): State<Service>) -> impl IntoResponse {
    use broadcast::error::RecvError::{Closed, Lagged};
    let events = futures::stream::unfold(service.0.events.subscribe(), async |mut events| {
        let event = match events.recv().await {
            Ok(json) => sse::Event::default().data(json),
            Err(Lagged(lost)) => sse::Event::default().comment(format!("{lost} lost")),
            Err(Closed) => return None,
        };
        Some((Ok::<_, std::convert::Infallible>(event), events))
    });
    Sse::new(events.take_until(service.0.stopping.clone().cancelled_owned()))
}

async fn metrics(State(service): State<Service>) -> String {
    let now = service.0.host.occupancy();
    let (instances, jobs, waiting) = (now.instances, now.jobs, now.waiting);
    let mut text =
        format!("forebay_instances {instances}\nforebay_jobs {jobs}\nforebay_waiting {waiting}\n");
    for (metric, total) in &*lock(&service.0.metrics) {
        let _ = writeln!(text, "forebay_{metric} {total}");
    }
    text
}

/// A request that is refused, or whose job has failed.
struct Refusal(StatusCode, Box<Failure>);

impl Refusal {
    fn new(status: StatusCode, message: &str) -> Self {
        Self(
            status,
            Box::new(Failure::new(message, "request", "refused")),
        )
    }
}

impl From<JobError> for Refusal {
    fn from(error: JobError) -> Self {
        // There is one at least.
        let Some(error) = error.errors.first() else {
            return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed");
        };
        let status = StatusCode::from_u16(error.kind().http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self(status, Box::new(Failure::from(error)))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
