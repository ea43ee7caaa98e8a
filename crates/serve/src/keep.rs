//! What is done with films besides reading: copies in the bucket, and the end of their time.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::audit::Deed;
use crate::db::{JobKind, Outlook, now};
use crate::error::NodeError;
use crate::http::App;

/// How often films that are kept no longer are looked for.
const RETENTION: Duration = Duration::from_secs(600);

/// Copies films and results to the bucket.
pub(crate) async fn copy(app: &App, work: &Notify, mut stop: watch::Receiver<bool>) {
    let node = app.config.node_name();
    while !*stop.borrow() {
        let job = match app.db.claim_job(JobKind::Copy, &node).await {
            Ok(Some(job)) => job,
            other => {
                if let Err(error) = other {
                    tracing::error!("no job could be leased: {error}");
                }
                tokio::select! {
                    () = work.notified() => {}
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
                continue;
            }
        };
        let _held = app.db.hold(&tokio::runtime::Handle::current(), &job.claim);
        let copied = async {
            let Some(film) = app.db.film(job.film).await.map_err(|error| error.to_string())? else { return Ok(()) };
            app.store.copy(&film.attributes.sha256).await.map_err(|error| error.to_string())?;
            app.db.in_bucket(film.id).await.map_err(|error| error.to_string())
        };
        let noted = match copied.await {
            Ok(()) => app.db.finish_job(&job).await.map(drop),
            Err(error) => {
                tracing::warn!("a film could not be copied to the bucket: {error}");
                app.db.fail_job(&job, &error, Outlook::AgainAlways).await.map(drop)
            }
        };
        if let Err(error) = noted {
            tracing::error!("what became of a copy could not be noted: {error}");
        }
    }
}

/// Removes films that are kept no longer, and files that no row names any more.
pub(crate) async fn retain(app: &App, days: Option<u32>, mut stop: watch::Receiver<bool>) {
    loop {
        if let Some(days) = days
            && let Err(error) = end(app, days).await
        {
            tracing::error!("retention: {error}");
        }
        if let Err(error) = app.intake.tidy().await {
            tracing::error!("files of removed films are still there, and are removed later: {error}");
        }
        tokio::select! {
            () = tokio::time::sleep(RETENTION) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Removes the rows of films that are kept no longer.
async fn end(app: &App, days: u32) -> Result<(), NodeError> {
    let before = now() - i64::from(days) * 86_400_000_000;
    for film in app.db.done_before(before, &app.config.node_name(), 1000).await? {
        app.audit.add(app.of_node(Deed::FilmRemoved).on(film.id).with("days", days)).await?;
        app.db.remove_film(film.id).await?;
    }
    Ok(())
}
