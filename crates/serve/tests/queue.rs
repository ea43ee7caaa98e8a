//! Work in rows, on both databases: leased once, tried again, set aside, never lost.

use coxa_serve::db::{Database, JobKind, NewFilm, NewObject, ObjectKind, Outcome, Outlook, SendState, Stored};

use super::postgres::postgres;

/// The same test on SQLite, and on PostgreSQL where it is installed.
pub async fn on_both(name: &str, test: impl AsyncFn(Database)) {
    on_both_at(name, async |db, _| test(db).await).await;
}

/// The same with the database's address, for what no method does.
async fn on_both_at(name: &str, test: impl AsyncFn(Database, String)) {
    let folder = tempfile::tempdir().unwrap();
    let mut urls = vec![format!("sqlite://{}?mode=rwc", folder.path().join("coxa.sqlite").display())];
    urls.extend(postgres().map(|server| server.database(name)));
    for url in urls {
        test(Database::open(&url).await.unwrap(), url).await;
    }
}

fn film(uid: &str) -> NewFilm {
    NewFilm {
        sop_instance_uid: uid.into(),
        sop_class_uid: "1.2".into(),
        transfer_syntax: "1.2.840.10008.1.2.1".into(),
        study_uid: "2.25.1".into(),
        series_uid: "2.25.2".into(),
        sha256: format!("{:0>64}", uid.trim_start_matches("2.25.")),
        bytes: 10,
        home: "here".into(),
        patient_name: "Ünïcode^名前".into(),
        metadata: "{}".into(),
        ..NewFilm::default()
    }
}

fn outcome() -> Outcome {
    Outcome {
        is_positive: true,
        not_read: None,
        model: "abc".into(),
        milliseconds: 5,
        prediction: "{\"probability\":0.5}".into(),
        is_pushed: false,
        logit: None,
        probability: Some(0.5),
        calibration: 0,
    }
}

fn object(uid: &str, destinations: &[&str]) -> NewObject {
    let attributes = NewFilm { sop_instance_uid: uid.into(), ..film(uid) };
    NewObject {
        kind: ObjectKind::Sr,
        attributes,
        destinations: destinations.iter().map(|&name| name.into()).collect(),
        is_copied: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_is_one_row_whoever_brings_it() {
    on_both("one_row", async |db| {
        let jobs = [(JobKind::Read, "here")];
        let many: Vec<_> = (0..16)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move { db.store_film(&film("2.25.10"), &jobs).await.unwrap() })
            })
            .collect();
        let mut new = 0;
        for one in many {
            new += usize::from(matches!(one.await.unwrap(), Stored::New(_)));
        }
        assert_eq!(new, 1, "sixteen associations at once bring it once");
        assert!(db.claim_job(JobKind::Read, "here").await.unwrap().is_some());
        assert!(db.claim_job(JobKind::Read, "here").await.unwrap().is_none(), "one job");
        let other = NewFilm { sha256: "f".repeat(64), ..film("2.25.10") };
        assert!(matches!(db.store_film(&other, &jobs).await.unwrap(), Stored::Conflict(_)));
        let kept = db.film_by_uid("2.25.10").await.unwrap().unwrap();
        assert_eq!(kept.attributes.patient_name, "Ünïcode^名前");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_leased_to_one_and_done_once() {
    on_both("leased", async |db| {
        for i in 0..40 {
            db.store_film(&film(&format!("2.25.{i}")), &[(JobKind::Read, "")]).await.unwrap();
        }
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                let db = db.clone();
                tokio::spawn(async move {
                    let mut done = Vec::new();
                    while let Some(job) = db.claim_job(JobKind::Read, &format!("w{worker}")).await.unwrap() {
                        assert!(
                            db.finish_reading(&job, &outcome(), &[object(&format!("2.26.{}", job.film), &["pacs"])])
                                .await
                                .unwrap()
                        );
                        done.push(job.film);
                    }
                    done
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!((count, all.len()), (40, 40), "each film once");
        let readings = db.readings(0, 0, 100).await.unwrap();
        assert!(
            readings
                .iter()
                .all(|reading| reading.state == "read" && reading.sent.len() == 1 && reading.sent[0].state == "due")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_finishes_late_changes_nothing() {
    on_both("late", async |db| {
        db.store_film(&film("2.25.1"), &[(JobKind::Read, "")]).await.unwrap();
        let first = db.claim_job(JobKind::Read, "slow").await.unwrap().unwrap();
        db.hand_back(&first.claim).await.unwrap();
        let second = db.claim_job(JobKind::Read, "quick").await.unwrap().unwrap();
        assert_eq!(second.claim.attempts, 1, "what is handed back was no try");
        db.reclaim("qui").await.unwrap();
        assert!(db.prolong(&second.claim).await.unwrap(), "a node frees its own alone");
        assert!(!db.prolong(&first.claim).await.unwrap());
        assert!(!db.finish_reading(&first, &outcome(), &[object("2.26.1", &["pacs"])]).await.unwrap());
        assert!(db.film_by_uid("2.26.1").await.unwrap().is_none(), "nothing of it is written");
        db.reclaim("quick").await.unwrap();
        assert!(!db.finish_reading(&second, &outcome(), &[]).await.unwrap());
        let third = db.claim_job(JobKind::Read, "quick").await.unwrap().unwrap();
        assert!(db.finish_reading(&third, &outcome(), &[object("2.26.1", &["pacs"])]).await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_good_is_set_aside_and_can_be_revived() {
    on_both("dead", async |db| {
        db.store_film(&film("2.25.1"), &[(JobKind::Read, "")]).await.unwrap();
        let job = db.claim_job(JobKind::Read, "w").await.unwrap().unwrap();
        assert!(!db.fail_job(&job, "busy", Outlook::Again { most: 2 }).await.unwrap());
        assert!(db.claim_job(JobKind::Read, "w").await.unwrap().is_none(), "it waits");
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let job = db.claim_job(JobKind::Read, "w").await.unwrap().unwrap();
        assert!(db.fail_job(&job, "broken", Outlook::Again { most: 2 }).await.unwrap());
        let reading = db.reading_of(job.film).await.unwrap().unwrap();
        assert_eq!((reading.state.as_str(), reading.error.as_str()), ("failed", "broken"));
        assert_eq!(db.revive().await.unwrap(), 1);
        let job = db.claim_job(JobKind::Read, "w").await.unwrap().unwrap();
        assert!(db.finish_reading(&job, &outcome(), &[]).await.unwrap());
        assert_eq!(db.reading_of(job.film).await.unwrap().unwrap().state, "read");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_one_row_a_destination_and_every_status_is_kept() {
    on_both("sends", async |db| {
        db.store_film(&film("2.25.1"), &[(JobKind::Read, "")]).await.unwrap();
        let job = db.claim_job(JobKind::Read, "here").await.unwrap().unwrap();
        assert!(db.finish_reading(&job, &outcome(), &[object("2.26.1", &["pacs", "lab"])]).await.unwrap());
        assert!(db.claim_send("pacs", "elsewhere").await.unwrap().is_none(), "its bytes lie on another node");
        let send = db.claim_send("pacs", "here").await.unwrap().unwrap();
        assert!(db.claim_send("pacs", "here").await.unwrap().is_none());
        assert!(db.finish_send(&send, SendState::Failed(Outlook::Never), 0xC000, "cannot understand").await.unwrap());
        let other = db.claim_send("lab", "here").await.unwrap().unwrap();
        assert!(db.finish_send(&other, SendState::Done, 0xB000, "changed").await.unwrap());
        let sent = db.reading_of(job.film).await.unwrap().unwrap().sent;
        let shown: Vec<_> =
            sent.iter().map(|sent| (sent.destination.as_str(), sent.state.as_str(), sent.status)).collect();
        assert_eq!(shown, [("pacs", "dead", 0xC000), ("lab", "done", 0xB000)]);
        let destined = db.destined(&["pacs".into(), "lab".into()]).await.unwrap();
        assert_eq!((destined[0].dead, destined[0].last_error.as_str()), (1, "cannot understand"));
        assert_eq!((destined[1].done, destined[1].last_error.as_str()), (1, ""));
        assert!(destined[1].last_success > 0);
        assert_eq!(db.revive().await.unwrap(), 1);
        assert!(db.claim_send("pacs", "here").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_that_is_removed_takes_all_of_its_rows_and_no_file_of_another() {
    on_both("removed", async |db| {
        let shared = "e".repeat(64);
        for uid in ["2.25.1", "2.25.2"] {
            db.store_film(&NewFilm { sha256: shared.clone(), ..film(uid) }, &[(JobKind::Read, "")]).await.unwrap();
        }
        let job = db.claim_job(JobKind::Read, "w").await.unwrap().unwrap();
        let pushed = Outcome { is_pushed: true, ..outcome() };
        assert!(db.finish_reading(&job, &pushed, &[object("2.26.1", &["pacs"])]).await.unwrap());
        // The same UID with other bytes, which came to another node.
        let apart = NewFilm { sha256: "f".repeat(64), home: "there".into(), ..film("2.25.1") };
        assert!(matches!(db.store_film(&apart, &[]).await.unwrap(), Stored::Conflict(_)));
        let future = coxa_serve::db::now() + 1_000_000;
        let done = async || db.done_before(future, "here", 10).await.unwrap();
        assert!(done().await.is_empty(), "an object is still on its way");
        let send = db.claim_send("pacs", "here").await.unwrap().unwrap();
        db.finish_send(&send, SendState::Failed(Outlook::Never), 0xC000, "cannot understand").await.unwrap();
        let push = db.claim_job(JobKind::Fhir, "here").await.unwrap().unwrap();
        assert!(db.finish_job(&push).await.unwrap());
        assert!(done().await.is_empty(), "an object that was refused is a person's to look at");
        assert_eq!(db.revive().await.unwrap(), 1);
        let send = db.claim_send("pacs", "here").await.unwrap().unwrap();
        db.finish_send(&send, SendState::Done, 0, "success").await.unwrap();
        db.in_bucket(job.film).await.unwrap();
        let films = done().await;
        assert_eq!(films.len(), 1);
        assert!(db.done_before(future, "there", 10).await.unwrap().is_empty(), "the other node's films are its own");
        let much_later = future + 2 * 86_400_000_000;
        assert_eq!(db.done_before(much_later, "there", 10).await.unwrap().len(), 1, "unless it does not remove them");
        db.remove_film(films[0].id).await.unwrap();
        // Removed a second time, by another node, it changes nothing.
        db.remove_film(films[0].id).await.unwrap();
        assert!(db.film_by_uid("2.26.1").await.unwrap().is_none());
        assert_eq!(db.readings(0, 0, 10).await.unwrap().len(), 1);
        // Each node is left its own files, and the bucket whoever has it, until they are removed.
        let result = object("2.26.1", &[]).attributes.sha256;
        let left = async |node: &str, has_bucket| {
            let mut left = db.leftovers(node, has_bucket, 10).await.unwrap();
            left.sort_by_key(|one| (one.sha256.clone(), one.home.clone()));
            left.into_iter().map(|one| (one.sha256, one.home)).collect::<Vec<_>>()
        };
        assert_eq!(left("here", false).await, [(result.clone(), "here".into()), (shared.clone(), "here".into())]);
        assert_eq!(left("there", false).await, [("f".repeat(64), "there".into())]);
        assert_eq!(left("third", true).await, [(shared.clone(), String::new())]);
        assert!(db.is_named(&shared, "here").await.unwrap(), "another film has the same bytes");
        assert!(!db.is_named(&result, "here").await.unwrap());
        for leftover in db.leftovers("here", true, 10).await.unwrap() {
            db.forget_leftover(&leftover).await.unwrap();
        }
        assert!(left("here", true).await.is_empty() && left("there", true).await.len() == 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_is_known_by_its_data_set_whatever_came_before_it() {
    on_both("data_set", async |db| {
        let (one, other) = ("a".repeat(64), "b".repeat(64));
        let first = NewFilm { data_sha256: one.clone(), ..film("2.25.1") };
        assert_eq!(db.known(&first).await.unwrap(), None);
        let id = db.store_film(&first, &[]).await.unwrap().id();
        // Another file meta information, the same film.
        let again = NewFilm { sha256: "c".repeat(64), data_sha256: one, ..film("2.25.1") };
        assert_eq!(db.known(&again).await.unwrap(), Some(Stored::Same(id)));
        assert_eq!(db.store_film(&again, &[]).await.unwrap(), Stored::Same(id));
        let changed = NewFilm { sha256: "d".repeat(64), data_sha256: other.clone(), ..film("2.25.1") };
        assert_eq!(db.known(&changed).await.unwrap(), None, "its bytes are to be kept");
        assert_eq!(db.store_film(&changed, &[]).await.unwrap(), Stored::Conflict(id));
        let changed_again = NewFilm { sha256: "e".repeat(64), data_sha256: other, ..film("2.25.1") };
        assert_eq!(db.known(&changed_again).await.unwrap(), Some(Stored::Conflict(id)), "kept apart once");
        assert_eq!(db.conflicts(10).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_holds_nothing_up() {
    on_both_at("clock", async |db, url| {
        let mut raw = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.unwrap();
        let mut ahead = async |sql: &'static str| {
            sqlx::query(sql).bind(86_400_000_000_i64).execute(&mut raw).await.unwrap();
        };
        db.store_film(&film("2.25.1"), &[(JobKind::Read, "")]).await.unwrap();
        let job = db.claim_job(JobKind::Read, "before").await.unwrap().unwrap();
        // The clock was a day ahead when the job was leased and its film came.
        ahead("UPDATE job SET lease_until = lease_until + $1").await;
        ahead("UPDATE instance SET received_at = received_at + $1").await;
        let job_again =
            db.claim_job(JobKind::Read, "after").await.unwrap().expect("the lease lies too far ahead to be one");
        assert!(!db.finish_reading(&job, &outcome(), &[]).await.unwrap(), "it is another's now");
        // One that waits for a moment that far ahead is due as well.
        db.fail_job(&job_again, "busy", Outlook::AgainAlways).await.unwrap();
        ahead("UPDATE job SET run_at = run_at + $1").await;
        let last = db.claim_job(JobKind::Read, "after").await.unwrap().expect("it is due");
        assert!(db.finish_reading(&last, &outcome(), &[object("2.26.1", &["pacs"])]).await.unwrap());
        let readings = db.readings(0, 0, 10).await.unwrap();
        assert!(readings.len() == 1 && readings[0].state == "read", "one result");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kills_the_program_again_and_again_is_set_aside() {
    on_both("poison", async |db| {
        for uid in ["2.25.1", "2.25.2"] {
            db.store_film(&film(uid), &[(JobKind::Read, "")]).await.unwrap();
        }
        let poison = db.claim_job(JobKind::Read, "here").await.unwrap().unwrap();
        assert_eq!(poison.claim.lost, 0);
        // The process ends with it in hand, and is started again.
        db.reclaim("here").await.unwrap();
        let again = db.claim_job(JobKind::Read, "here").await.unwrap().unwrap();
        assert_eq!(
            (again.film, again.claim.lost),
            (poison.film, 1),
            "at once, in case that the film was not the cause"
        );
        db.reclaim("here").await.unwrap();
        let other = db.claim_job(JobKind::Read, "here").await.unwrap().unwrap();
        assert_ne!(other.film, poison.film, "it holds up no other film");
        assert!(db.finish_reading(&other, &outcome(), &[object("2.26.1", &["pacs"])]).await.unwrap());
        for lost in 2..coxa_serve::db::LOST {
            let next = db.claim_job(JobKind::Read, "here").await.unwrap().unwrap();
            assert_eq!((next.film, next.claim.lost), (poison.film, lost));
            db.reclaim("here").await.unwrap();
        }
        assert!(db.claim_job(JobKind::Read, "here").await.unwrap().is_none());
        let dead = db.dead(10).await.unwrap();
        assert!(dead.len() == 1 && dead[0].film == poison.film, "{dead:?}");
        assert!(dead[0].error.contains("6 times the program ended"), "{}", dead[0].error);
        assert_eq!(db.reading_of(poison.film).await.unwrap().unwrap().state, "failed");
        // A person may try it again.
        assert!(db.revive_one(dead[0].kind, dead[0].id).await.unwrap());
        let revived = db.claim_job(JobKind::Read, "here").await.unwrap().unwrap();
        assert_eq!(revived.claim.lost, 0);
        // A try that ended with an error was no loss.
        db.reclaim("here").await.unwrap();
        let failed = db.claim_job(JobKind::Read, "here").await.unwrap().unwrap();
        db.fail_job(&failed, "busy", Outlook::AgainAlways).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
        assert_eq!(db.claim_job(JobKind::Read, "here").await.unwrap().unwrap().claim.lost, 0);
        // The same for an object on its way.
        for _ in 0..coxa_serve::db::LOST {
            assert!(db.claim_send("pacs", "here").await.unwrap().is_some());
            db.reclaim("here").await.unwrap();
        }
        assert!(db.claim_send("pacs", "here").await.unwrap().is_none());
        assert_eq!(db.destined(&["pacs".into()]).await.unwrap()[0].dead, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_prolonged_while_work_goes_on() {
    on_both_at("held", async |db, url| {
        db.store_film(&film("2.25.1"), &[(JobKind::Read, "")]).await.unwrap();
        let job = db.claim_job(JobKind::Read, "slow").await.unwrap().unwrap();
        let mut raw = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.unwrap();
        // Its end is almost there.
        let until = coxa_serve::db::now() + 2_000_000;
        sqlx::query("UPDATE job SET lease_until = $1").bind(until).execute(&mut raw).await.unwrap();
        assert!(db.prolong(&job.claim).await.unwrap());
        tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
        assert!(db.claim_job(JobKind::Read, "quick").await.unwrap().is_none(), "it is still the slow one's");
        assert!(db.finish_reading(&job, &outcome(), &[]).await.unwrap());
        assert!(!db.prolong(&job.claim).await.unwrap(), "what is done is held no more");
    })
    .await;
}
