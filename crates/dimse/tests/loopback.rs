//! Both roles of this crate with each other.

use std::time::Duration;

use coxa_dimse::tls::{Acceptor, Connector, TlsFiles};
use coxa_dimse::{
    DimseError, Limits, Object, PeerRule, Permission, Policy, Proposal, RefusalReason, Status, Uid, connect,
};

use super::{CAPTURE, EXPLICIT_VR, Node, call, policy};

fn object() -> Object {
    Object {
        sop_class: Uid::parse(CAPTURE).unwrap(),
        sop_instance: Uid::parse("2.25.77").unwrap(),
        transfer_syntax: EXPLICIT_VR.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_arrives_as_it_was_sent() {
    let node = Node::start(policy(), Status::SUCCESS, None).await;
    // Sizes about the edges of a PDU, none at all, and many PDUs.
    for n in [0usize, 2, 128 * 1024 - 6, 128 * 1024 - 4, 3_000_000] {
        let bytes: Vec<u8> = (0..n).map(|i| (i * 31 % 251) as u8).collect();
        let mut association = connect(&call(node.address, None)).await.unwrap();
        assert_eq!(association.echo().await.unwrap(), Status::SUCCESS);
        assert_eq!(association.store(&object(), &bytes[..]).await.unwrap(), Status::SUCCESS);
        association.release().await.unwrap();
        let (request, stored, peer) = node.seen.stored.lock().unwrap().pop().unwrap();
        assert_eq!(stored, bytes, "{n} bytes");
        assert_eq!((request.sop_instance.as_str(), request.transfer_syntax.as_str()), ("2.25.77", EXPLICIT_VR));
        assert_eq!((peer.ae_title.as_str(), peer.implementation.1.as_str()), ("TESTER", "TEST"));
    }
    assert!(node.seen.ended.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_line_that_would_allow_it() {
    let rule = PeerRule {
        ae_title: "MODALITY1".into(),
        addresses: Vec::new(),
        certificate: None,
        may: vec![Permission::Store],
    };
    let elsewhere = PeerRule { ae_title: "CT".into(), addresses: vec!["10.0.0.9".parse().unwrap()], ..rule.clone() };
    let viewer = PeerRule { ae_title: "VIEWER".into(), may: vec![Permission::Query], ..rule.clone() };
    let node = Node::start(Policy { peers: vec![rule, elsewhere, viewer], ..policy() }, Status::SUCCESS, None).await;
    for (calling, called, remedy) in [
        ("MODALITY1", "coxa", "did you mean COXA? (titles are case-sensitive)"),
        ("MODALITY_1", "COXA", "did you mean MODALITY1?"),
        ("STRANGER", "COXA", "[[peer]] ae_title = \"STRANGER\", host = \"127.0.0.1\""),
        ("CT", "COXA", "set host = \"127.0.0.1\" in the [[peer]] of CT"),
    ] {
        let mut call = call(node.address, None);
        (call.calling, call.called) = (calling.to_owned(), called.to_owned());
        let error = connect(&call).await.err().unwrap();
        assert!(matches!(error, DimseError::Rejected { is_transient: false, .. }), "{error}");
        node.until("a refusal", |seen| !seen.refused.lock().unwrap().is_empty()).await;
        let refusal = node.seen.refused.lock().unwrap().pop().unwrap();
        assert!(refusal.remedy().contains(remedy), "{}", refusal.remedy());
        assert!(refusal.asked.contains(&CAPTURE.to_owned()));
    }
    // Known, but not for storing: the context is refused, the association is not, as an echo is open to every peer.
    let mut viewer = call(node.address, None);
    viewer.calling = "VIEWER".to_owned();
    let mut association = connect(&viewer).await.unwrap();
    assert_eq!(association.echo().await.unwrap(), Status::SUCCESS);
    assert!(matches!(association.store(&object(), &b"x"[..]).await, Err(DimseError::NoContext(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_a_peer_is_asked_to_come_later() {
    let limits = Limits { associations: 1, ..Limits::default() };
    let node = Node::start(Policy { limits, ..policy() }, Status::SUCCESS, None).await;
    let first = connect(&call(node.address, None)).await.unwrap();
    let error = connect(&call(node.address, None)).await.err().unwrap();
    assert!(matches!(error, DimseError::Rejected { is_transient: true, .. }), "{error}");
    first.release().await.unwrap();
    let mut opened = false;
    for _ in 0..200 {
        opened = connect(&call(node.address, None)).await.is_ok();
        if opened {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(opened, "the place is free again");
    let refused = node.seen.refused.lock().unwrap();
    assert!(refused.iter().all(|refusal| refusal.reason == RefusalReason::Congestion) && !refused.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_set_over_the_limit_ends_the_association() {
    let limits = Limits { data_set: 100_000, ..Limits::default() };
    let node = Node::start(Policy { limits, ..policy() }, Status::SUCCESS, None).await;
    let mut association = connect(&call(node.address, None)).await.unwrap();
    assert!(association.store(&object(), &vec![0; 1_000_000][..]).await.is_err());
    node.until("the limit", |seen| seen.ended.lock().unwrap().iter().any(|end| end.contains("bytes of a data set")))
        .await;
    assert!(node.seen.stored.lock().unwrap().is_empty());
}

/// An authority, and a certificate of it for 127.0.0.1, as files.
pub(crate) fn certificates(folder: &std::path::Path, name: &str) -> TlsFiles {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    // An issuer of its subject's name would be taken for the same certificate.
    parameters.distinguished_name.push(rcgen::DnType::CommonName, format!("authority of {name}"));
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = parameters.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let write = |kind: &str, text: String| {
        let path = folder.join(format!("{name}-{kind}.pem"));
        std::fs::write(&path, text).unwrap();
        path
    };
    TlsFiles {
        certificate: write("own", own.pem()),
        key: write("key", key.serialize_pem()),
        authorities: Some(write("authority", authority.pem())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mutual_tls_lets_in_who_shows_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path(), "hospital");
    let stranger = certificates(folder.path(), "stranger");
    let authorities = files.authorities.clone().unwrap();
    let node = Node::start(policy(), Status::SUCCESS, Some(Acceptor::new(files.clone()).unwrap())).await;
    let with = |own: Option<&TlsFiles>| Some(Connector::new(&authorities, own).unwrap());
    let mut association = connect(&call(node.address, with(Some(&files)))).await.unwrap();
    assert_eq!(association.store(&object(), &b"film"[..]).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
    let (_, _, peer) = node.seen.stored.lock().unwrap().pop().unwrap();
    assert_eq!(peer.certificate.map(|hash| hash.len()), Some(64));
    // In TLS 1.3 the server's refusal of a certificate shows at the first read.
    assert!(connect(&call(node.address, with(None))).await.is_err());
    assert!(connect(&call(node.address, with(Some(&stranger)))).await.is_err());
    assert!(connect(&call(node.address, None)).await.is_err(), "plain on a TLS port");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_fails_is_kept_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let (files, stranger) = (certificates(folder.path(), "hospital"), certificates(folder.path(), "stranger"));
    let (authorities, others) = (files.authorities.clone().unwrap(), stranger.authorities.clone().unwrap());
    let node = Node::start(policy(), Status::SUCCESS, Some(Acceptor::new(files.clone()).unwrap())).await;
    let with = |authorities, own| Some(Connector::new(authorities, own).unwrap());
    for (tls, reason, remedy) in [
        (with(&authorities, None), "a peer showed no certificate", "switch TLS client authentication on"),
        (with(&authorities, Some(&stranger)), "cannot be trusted here", "[tls] authorities"),
        (with(&others, Some(&files)), "declined this node's certificate", "the authority of this node's certificate"),
        (None, "did not begin with TLS", "TLS where this port does"),
    ] {
        assert!(connect(&call(node.address, tls)).await.is_err(), "{reason}");
        node.until(reason, |seen| seen.refused.lock().unwrap().len() == 1).await;
        let refusal = node.seen.refused.lock().unwrap().pop().unwrap();
        assert!(refusal.to_string().contains(reason), "{refusal}");
        assert!(refusal.remedy().contains(remedy), "{}", refusal.remedy());
    }
    // Who comes and goes without a word is no peer.
    drop(tokio::net::TcpStream::connect(node.address).await.unwrap());
    node.until("an end", |seen| !seen.ended.lock().unwrap().is_empty()).await;
    assert!(node.seen.refused.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_another_certificate_than_its_rule_has_is_told_which() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path(), "hospital");
    let tls = Some(Connector::new(files.authorities.as_ref().unwrap(), Some(&files)).unwrap());
    let rule = |certificate: &str| PeerRule {
        ae_title: call("", None).calling,
        addresses: Vec::new(),
        certificate: Some(certificate.to_owned()),
        may: vec![Permission::Store],
    };
    let start = async |certificate: &str| {
        let policy = Policy { peers: vec![rule(certificate)], ..policy() };
        Node::start(policy, Status::SUCCESS, Some(Acceptor::new(files.clone()).unwrap())).await
    };
    let node = start(&"ab".repeat(32)).await;
    assert!(connect(&call(node.address, tls.clone())).await.is_err());
    node.until("a refusal", |seen| !seen.refused.lock().unwrap().is_empty()).await;
    let refusal = node.seen.refused.lock().unwrap().pop().unwrap();
    let RefusalReason::Certificate { shown: Some(shown) } = &refusal.reason else { panic!("{refusal:?}") };
    assert!(refusal.remedy().contains(&format!("certificate = \"{shown}\"")), "{}", refusal.remedy());
    assert_eq!(refusal.peer_to_allow(), None, "title and address do not make sure of it");
    // With what the remedy says, it is let in.
    let node = start(shown).await;
    assert_eq!(connect(&call(node.address, tls)).await.unwrap().echo().await.unwrap(), Status::SUCCESS);
    // On a plain port the rule asks for what nobody can show.
    let plain = Node::start(Policy { peers: vec![rule(shown)], ..policy() }, Status::SUCCESS, None).await;
    assert!(connect(&call(plain.address, None)).await.is_err());
    plain.until("a refusal", |seen| !seen.refused.lock().unwrap().is_empty()).await;
    let reason = plain.seen.refused.lock().unwrap()[0].reason.clone();
    assert_eq!(reason, RefusalReason::Certificate { shown: None });
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_certificates_count_from_the_next_association_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificates(folder.path(), "hospital");
    let authorities = first.authorities.clone().unwrap();
    let acceptor = Acceptor::new(first.clone()).unwrap();
    let node = Node::start(policy(), Status::SUCCESS, Some(acceptor.clone())).await;
    let connector = Connector::new(&authorities, Some(&first)).unwrap();
    let works = async || connect(&call(node.address, Some(connector.clone()))).await.is_ok();
    assert!(works().await);
    let mut open = connect(&call(node.address, Some(connector.clone()))).await.unwrap();
    // Another authority and its certificates, in the same files.
    certificates(folder.path(), "hospital");
    assert!(works().await, "nobody has read them yet");
    acceptor.reload().unwrap();
    assert!(!works().await, "the user still trusts the authority before");
    connector.reload().unwrap();
    assert!(works().await);
    assert_eq!(open.echo().await.unwrap(), Status::SUCCESS, "what is open stays");
    // Files that are being written are no reason to stop.
    std::fs::write(&authorities, "half of a").unwrap();
    assert!(acceptor.reload().unwrap_err().to_string().contains("hospital-authority.pem"));
    assert!(connector.reload().is_err());
    assert!(works().await, "what was read before stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_association_of_which_nothing_is_accepted_is_kept_with_its_remedy() {
    let node = Node::start(policy(), Status::SUCCESS, None).await;
    let deflated = "1.2.840.10008.1.2.1.99";
    for (class, syntax, reason, remedy) in [
        ("1.2.840.10008.5.1.4.1.1.481.1", EXPLICIT_VR, "no SOP class that is taken here", "send films"),
        (CAPTURE, deflated, "no transfer syntax that is taken here", "Explicit VR Little Endian"),
    ] {
        let mut call = call(node.address, None);
        call.proposals = vec![Proposal::new(class, &[syntax])];
        // The answer says so context by context, and the association may end in peace.
        if let Ok(association) = connect(&call).await {
            association.release().await.unwrap();
        }
        node.until(reason, |seen| seen.refused.lock().unwrap().len() == 1).await;
        let refusal = node.seen.refused.lock().unwrap().pop().unwrap();
        assert!(refusal.to_string().contains(reason) && refusal.asked == [class], "{refusal}");
        assert!(refusal.remedy().contains(remedy), "{}", refusal.remedy());
    }
    // One context of several is enough.
    let mut association = connect(&call(node.address, None)).await.unwrap();
    assert_eq!(association.echo().await.unwrap(), Status::SUCCESS);
    assert!(node.seen.refused.lock().unwrap().is_empty());
}
