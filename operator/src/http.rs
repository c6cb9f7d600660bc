//! The HTTP endpoint: /metrics for Prometheus, /livez and /readyz for Kubernetes.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::health::Health;
use crate::metrics::Metrics;

const INDEX: &str = "\
Gregor's operator.

/metrics  what Prometheus scrapes
/livez    200 while the watches hear from the API server, else 503
/readyz   200 once the API server was reached, else 503
";

struct Endpoint {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

/// Binds the address and serves until the process ends.
///
/// # Errors
/// The address cannot be bound.
pub(crate) async fn start(
    address: SocketAddr,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
) -> anyhow::Result<()> {
    let listener =
        tokio::net::TcpListener::bind(address).await.with_context(|| format!("serve HTTP on {address}"))?;
    let router = Router::new()
        .route("/", get(async || INDEX))
        .route("/livez", get(async |State(endpoint): State<Arc<Endpoint>>| probe(endpoint.health.live())))
        .route("/readyz", get(async |State(endpoint): State<Arc<Endpoint>>| probe(endpoint.health.ready())))
        .route("/metrics", get(scrape))
        .fallback(async || (StatusCode::NOT_FOUND, "no such page; / names those that there are\n"))
        .with_state(Arc::new(Endpoint { health, metrics }));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!("the HTTP endpoint ended: {error}");
        }
    });
    Ok(())
}

fn probe(result: Result<String, String>) -> (StatusCode, String) {
    match result {
        Ok(state) => (StatusCode::OK, state + "\n"),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
    }
}

async fn scrape(State(endpoint): State<Arc<Endpoint>>) -> Response {
    match endpoint.metrics.text() {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => {
            tracing::error!("a scrape failed: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, "the scrape failed; the log says why\n").into_response()
        }
    }
}
