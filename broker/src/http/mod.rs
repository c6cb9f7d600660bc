//! The HTTP endpoint: /metrics for Prometheus, /livez and /readyz for Kubernetes, and a page that names them.
//!
//! It has a thread and a runtime of its own, so that a scrape costs the data path nothing, and so that /livez
//! answers when the event loops do not, and looks at them once a second. A scrape runs on one further thread, one at a time.

mod health;
mod listener;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{Mutex, oneshot};

pub use health::{Health, Loop, Mark, State};

use crate::metrics::{self, Families, Source, declared};
use health::LOOK_EVERY;

const INDEX: &str = "\
Gregor, an event-streaming broker that speaks Kafka's protocol.

/metrics  what Prometheus scrapes
/livez    200 while the event loops run, else 503
/readyz   200 while clients should come, else 503
";

/// The running endpoint; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its thread may have ended by itself.
        self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Endpoint {
    health: Arc<Health>,
    source: Arc<dyn Source>,
    /// Held during a scrape; how long the previous one took, in nanoseconds.
    scraping: Mutex<u64>,
}

impl Endpoint {
    /// Whether clients should come, or why not.
    fn ready(&self) -> Result<(), String> {
        self.health.serving().and_then(|()| self.source.ready())
    }
}

/// Binds the address and serves on a thread of its own. An empty host is every interface.
///
/// # Errors
/// When the address cannot be bound or the thread not be started.
pub fn start(host: &str, port: u16, health: Arc<Health>, source: Arc<dyn Source>) -> io::Result<Server> {
    let listener = bind(host, port)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let endpoint = Arc::new(Endpoint { health, source, scraping: Mutex::new(0) });
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build()?;
    let (stop, stopped) = oneshot::channel();
    let watched = Arc::clone(&endpoint.health);
    let serve = async move {
        let listener = listener::Bounded::new(tokio::net::TcpListener::from_std(listener)?);
        let look = async {
            let mut interval = tokio::time::interval(LOOK_EVERY);
            loop {
                interval.tick().await;
                watched.look();
            }
        };
        tokio::select! {
            () = look => Ok(()),
            served = axum::serve(listener, router(endpoint)).into_future() => served,
            _ = stopped => Ok(()),
        }
    };
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        if let Err(error) = runtime.block_on(serve) {
            tracing::error!("the HTTP endpoint ended: {error}");
        }
        // A scrape that hangs must not hold up the end of the process.
        runtime.shutdown_background();
    })?;
    Ok(Server { address, stop: Some(stop), thread: Some(thread) })
}

fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    if host.is_empty() {
        // `::` takes IPv4 too where the kernel has both.
        return TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)));
    }
    TcpListener::bind((host, port))
}

fn router(endpoint: Arc<Endpoint>) -> Router {
    Router::new()
        .route("/", get(async || INDEX))
        .route("/livez", get(async |Shared(endpoint): Shared<Arc<Endpoint>>| probe(endpoint.health.live())))
        .route("/readyz", get(async |Shared(endpoint): Shared<Arc<Endpoint>>| probe(endpoint.ready())))
        .route("/metrics", get(scrape))
        .fallback(async || (StatusCode::NOT_FOUND, "no such page; / names those that there are\n"))
        .with_state(endpoint)
}

fn probe(result: Result<(), String>) -> (StatusCode, String) {
    match result {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
    }
}

const TEXT: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];

async fn scrape(Shared(endpoint): Shared<Arc<Endpoint>>) -> Response {
    let mut previous_ns = endpoint.scraping.lock().await;
    let of = Scraped { endpoint: Arc::clone(&endpoint), previous_ns: *previous_ns };
    let started = Instant::now();
    let text = tokio::task::spawn_blocking(move || metrics::scrape(&of)).await;
    *previous_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    match text {
        Ok(Ok(text)) => (TEXT, text).into_response(),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> Response {
    tracing::error!("a scrape failed: {error}");
    (StatusCode::INTERNAL_SERVER_ERROR, "the scrape failed; the broker's log says why\n").into_response()
}

/// The broker's source, and what the endpoint itself knows.
struct Scraped {
    endpoint: Arc<Endpoint>,
    previous_ns: u64,
}

impl Source for Scraped {
    fn scrape(&self, families: &mut Families) {
        for (name, age_ms) in self.endpoint.health.loop_ages_ms() {
            families.seconds(&declared::LOOP_AGE_SECONDS, &[&name], age_ms.saturating_mul(1_000_000));
        }
        families.seconds(&declared::SCRAPE_SECONDS, &[], self.previous_ns);
        self.endpoint.source.scrape(families);
    }
}
