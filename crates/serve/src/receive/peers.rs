//! The peers that may open associations: those of the configuration, and those that an administrator allowed on the operations page.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use coxa_dimse::{PeerRule, Permission, Policy};
use tokio::sync::watch;

use super::dicom::policy;
use crate::config::Config;
use crate::db::{AllowedPeer, Database, DbError};

/// How often a node looks for what was allowed on another node's page.
const RENEWED: Duration = Duration::from_secs(10);

/// The policy of a node's associations, as it changes.
#[derive(Debug)]
pub struct Admission {
    config: Config,
    db: Database,
    policy: watch::Sender<Arc<Policy>>,
}

impl Admission {
    /// By the configuration alone, until [`Admission::renew`].
    pub fn new(config: &Config, db: &Database) -> Self {
        Self { config: config.clone(), db: db.clone(), policy: watch::channel(Arc::new(policy(config))).0 }
    }

    /// The policy of each moment.
    pub fn policy(&self) -> watch::Receiver<Arc<Policy>> {
        self.policy.subscribe()
    }

    /// Takes in what was allowed and taken back.
    ///
    /// # Errors
    /// When the database fails; the policy stays what it is then.
    pub async fn renew(&self) -> Result<(), DbError> {
        let mut next = policy(&self.config);
        add(&mut next.peers, &self.db.allowed_peers().await?);
        self.policy.send_if_modified(|policy| {
            let is_new = policy.peers != next.peers;
            if is_new {
                *policy = Arc::new(next);
            }
            is_new
        });
        Ok(())
    }

    /// Renews the policy until `stop`.
    pub async fn keep_renewed(&self, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(error) = self.renew().await {
                tracing::error!("allowed peers cannot be read, those of before stay: {error}");
            }
            tokio::select! {
                () = tokio::time::sleep(RENEWED) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

/// Adds allowed peers to the rules of the configuration. A known title gets one address more, under its own conditions; where the
/// configuration knows no peer, every peer on this machine may store already, and a first rule would shut the others out.
fn add(rules: &mut Vec<PeerRule>, allowed: &[AllowedPeer]) {
    if rules.is_empty() {
        return;
    }
    for peer in allowed {
        let Ok(address) = peer.address.parse::<IpAddr>() else { continue };
        match rules.iter_mut().find(|rule| rule.ae_title == peer.ae_title) {
            // No address stands for every address.
            Some(rule) if rule.addresses.is_empty() => {}
            Some(rule) => rule.addresses.push(address),
            None => rules.push(PeerRule {
                ae_title: peer.ae_title.clone(),
                addresses: vec![address],
                certificate: None,
                may: vec![Permission::Store],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(ae_title: &str, address: &str) -> AllowedPeer {
        AllowedPeer { id: 1, ae_title: ae_title.into(), address: address.into(), allowed_at: 0, allowed_by: "a".into() }
    }

    fn rule(ae_title: &str, addresses: &[&str]) -> PeerRule {
        PeerRule {
            ae_title: ae_title.into(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            certificate: Some("ab".into()),
            may: vec![Permission::Store],
        }
    }

    #[test]
    fn an_allowed_peer_is_a_rule_or_one_address_of_a_rule() {
        let mut rules = vec![rule("MOD", &["10.0.0.1"]), rule("ANYWHERE", &[])];
        add(&mut rules, &[allowed("MOD", "10.0.0.2"), allowed("ANYWHERE", "10.0.0.3"), allowed("NEW", "10.0.0.4")]);
        assert_eq!(rules[0], rule("MOD", &["10.0.0.1", "10.0.0.2"]));
        assert_eq!(rules[1], rule("ANYWHERE", &[]));
        let new = PeerRule { certificate: None, ..rule("NEW", &["10.0.0.4"]) };
        assert_eq!(rules[2..], [new]);
        // A node without rules stays open to its own machine.
        let mut none = Vec::new();
        add(&mut none, &[allowed("NEW", "127.0.0.1")]);
        assert!(none.is_empty());
    }
}
