//! The inspector's files.

use std::path::{Component, Path, PathBuf};

use axum::http::header::{self, HeaderValue};
use axum::response::{Html, IntoResponse, Response};

use crate::inspect::problem;

/// Answers with a file of the folder; a path that ends in `/` means its `index.html`.
pub async fn serve(folder: &Path, path: &str) -> Response {
    let folder = folder.to_owned();
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let file = inside(&folder, &path)?;
        let kind = content_type(&file);
        Some((std::fs::read(file).ok()?, kind))
    });
    match read.await {
        Ok(Some((bytes, kind))) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            ];
            (headers, bytes).into_response()
        }
        _ => problem(404, "there is no such file"),
    }
}

/// What stands at the inspector's place until it is built.
pub fn no_inspector() -> Response {
    Html(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>XDM Beacon inlet</title>\
         <h1>The inlet is running</h1><p>The inspector is not built yet: run <code>npm run \
         build</code> and start the inlet with <code>--www dist/inspector</code>.</p><p>What \
         arrived: <a href=\"/inspect/counts\">counts</a>, <a href=\"/inspect/good\">good</a>, \
         <a href=\"/inspect/bad\">bad</a>.</p></html>",
    )
    .into_response()
}

/// The file a path names, if it lies inside the folder, links followed.
fn inside(folder: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || path.contains(['%', '\\', '\0']) {
        return None;
    }
    let mut file = folder.join(relative);
    if path.is_empty() || path.ends_with('/') {
        file.push("index.html");
    }
    let file = file.canonicalize().ok()?;
    file.starts_with(folder.canonicalize().ok()?).then_some(file)
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("wasm") => "application/wasm",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
