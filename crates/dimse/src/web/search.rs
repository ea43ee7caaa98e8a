//! QIDO-RS: searches, page by page.

use reqwest::header::{ACCEPT, HeaderMap, WARNING};
use serde_json::Value;

use super::{Service, WebError};
use crate::Uid;

const DOING: &str = "searching";

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level<'a> {
    /// Studies.
    Studies,
    /// The series of a study.
    Series {
        /// The study.
        study: &'a Uid,
    },
    /// The instances of a series.
    Instances {
        /// The study.
        study: &'a Uid,
        /// The series.
        series: &'a Uid,
    },
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Matches {
    /// Each match as DICOM JSON (PS3.18 F.2), in the server's order.
    pub found: Vec<Value>,
    /// Whether there may be more than were asked for.
    pub is_cut: bool,
}

impl Service {
    /// Searches; `query` are matching keys and `includefield`s by name or tag, `most` how many matches are taken.
    ///
    /// # Errors
    /// [`WebError`] where the server refuses, its answer is no DICOM JSON, or it repeats a page instead of going on.
    pub async fn search(&self, level: Level<'_>, query: &[(&str, &str)], most: usize) -> Result<Matches, WebError> {
        let mut found: Vec<Value> = Vec::new();
        let page = self.limits.page.max(1);
        loop {
            // One more than is taken says whether there are more.
            let wanted = page.min(most - found.len() + 1);
            let (matches, more_announced) = self.page(level, query, wanted, found.len()).await?;
            if matches.first().is_some_and(|first| found.last().is_some() && found.contains(first)) {
                return Err(WebError::Answer("repeats a page of matches: the server ignores `offset`"));
            }
            let is_last = matches.is_empty() || (matches.len() < wanted && !more_announced);
            // A server that ignores `limit` sends all of them at once.
            let is_all = matches.len() > wanted;
            found.extend(matches);
            if found.len() > most {
                found.truncate(most);
                return Ok(Matches { found, is_cut: true });
            }
            if is_last || is_all {
                return Ok(Matches { found, is_cut: false });
            }
        }
    }

    async fn page(
        &self,
        level: Level<'_>,
        query: &[(&str, &str)],
        limit: usize,
        offset: usize,
    ) -> Result<(Vec<Value>, bool), WebError> {
        let mut address = match level {
            Level::Studies => self.address(&["studies"])?,
            Level::Series { study } => self.address(&["studies", study.as_str(), "series"])?,
            Level::Instances { study, series } => {
                self.address(&["studies", study.as_str(), "series", series.as_str(), "instances"])?
            }
        };
        let mut pairs = address.query_pairs_mut();
        pairs.extend_pairs(query);
        pairs.append_pair("limit", &limit.to_string()).append_pair("offset", &offset.to_string());
        drop(pairs);
        let request = self.http.get(address).header(ACCEPT, "application/dicom+json");
        let response = self.send(request, DOING).await?;
        match response.status().as_u16() {
            204 => return Ok((Vec::new(), false)),
            // A server may send a part only, and says so in a warning.
            200 | 206 => {}
            _ => return Err(self.refused(DOING, &response)),
        }
        let more = announces_more(response.headers());
        let body = self.body(DOING, response).await?;
        let answer: Value = serde_json::from_slice(&body).map_err(|_| WebError::Answer("is no JSON"))?;
        match answer {
            Value::Array(matches) if matches.iter().all(Value::is_object) => Ok((matches, more)),
            _ => Err(WebError::Answer("is no array of DICOM JSON objects")),
        }
    }
}

/// Whether a warning says that there are more matches (PS3.18 8.3.4.4).
fn announces_more(headers: &HeaderMap) -> bool {
    let is_more = |text: &str| text.trim_start().starts_with("299") && text.contains("additional results");
    headers.get_all(WARNING).iter().filter_map(|value| value.to_str().ok()).any(is_more)
}
