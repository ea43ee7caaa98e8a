//! Who a request comes from, as handlers need it: established once, before the handler.

use std::net::IpAddr;

use crate::audit::{Deed, Event};
use crate::language::Language;
use crate::people::{Asker, Place};

/// The address at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remote(pub(crate) IpAddr);

/// Who a request comes from.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Who asks.
    pub(crate) asker: Asker,
    /// From where, for counting attempts.
    pub(crate) place: Place,
    /// From where, as it is recorded: behind a proxy, the proxy's address.
    pub(crate) address: IpAddr,
    /// The token that the session's forms must carry; empty without a session.
    pub(crate) form_token: String,
    /// The session's row; 0 without one.
    pub(crate) session: i64,
    /// The language of the pages.
    pub(crate) language: Language,
    /// The address of the page that is opened, without the host; empty where a form is sent.
    pub(crate) page: String,
}

impl Caller {
    /// Something that this caller did.
    pub(crate) fn event(&self, deed: Deed) -> Event {
        Event::new(deed, &self.asker).at(self.address)
    }
}
