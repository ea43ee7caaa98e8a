//! Both roles of this crate with each other.

use std::time::Duration;

use coxa_dimse::tls::{Acceptor, Connector, TlsFiles};
use coxa_dimse::{DimseError, Limits, Object, PeerRule, Permission, Policy, RefusalReason, Status, Uid, connect};

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
