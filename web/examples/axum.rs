//! The page as a part of an axum server, at `http://127.0.0.1:8080/status/`.
//!
//! ```sh
//! cargo run --package active-status-web --example axum
//! ```

use std::io;
use std::time::Duration;

use active_status::{Board, board};
use active_status_web::Page;
use axum::Router;
use axum::extract::Request;
use axum::response::Redirect;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> io::Result<()> {
    let (board, events) = board();
    let (page, feed) = Page::new(events, sleep);
    tokio::spawn(feed);
    tokio::spawn(work(board));

    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, router(page)).await
}

fn router(page: Page) -> Router {
    // `nest` strips `/status` from the requests.
    let page = Router::new().fallback(async move |request: Request| page.respond(&request));
    Router::new()
        .route("/", get(async || "The board is at /status/\n"))
        .route("/status", get(async || Redirect::permanent("/status/")))
        .nest("/status/", page)
}

/// A job that counts to a thousand, again and again.
async fn work(board: Board) {
    loop {
        let job = board.add_job("count: ");
        job.start_progress(1_000);
        for _ in 0..1_000 {
            sleep(Duration::from_millis(10)).await;
            job.tick();
        }
        job.finish();
    }
}
