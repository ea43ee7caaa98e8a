//! A reader study of 21 readers and 100 films against a node that is killed five times: nothing is lost, nothing is stored twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::serving::{Serving, film, store};

const FILMS: usize = 100;
const READERS: usize = 21;
const KILLS: usize = 5;

#[test]
fn twenty_one_readers_read_a_hundred_films_while_the_server_is_killed() {
    let Some(modules) = std::env::var_os("COXA_NODE_MODULES") else {
        coxa_testing::skip("COXA_NODE_MODULES names no packages of npm: scripts/foreign.sh installs them");
        return;
    };
    let Some(mut script) = coxa_testing::tool("node") else { return };
    let folder = tempfile::tempdir().unwrap();
    let port = coxa_testing::free_port();
    let address = format!("127.0.0.1:{port}");
    let start = |folder: &Path| {
        // The script's addresses stay while the node is started again.
        Serving::start(folder, &["--roles", "receive,pages", "--http", &address])
    };
    let mut node = start(folder.path());
    let first = node.before.iter().find(|line| line.starts_with("first sign-in: ")).unwrap();
    let password = first.rsplit(' ').next().unwrap().to_owned();
    let films: Vec<_> = (0..FILMS).map(film).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(store(&films, &Mutex::new(vec![node.dicom])));
    let list = folder.path().join("films.txt");
    std::fs::write(&list, films.iter().map(|(_, uid)| uid.as_str()).collect::<Vec<_>>().join("\n")).unwrap();
    let pictures = coxa_testing::artifacts().join("reading");
    std::fs::create_dir_all(&pictures).unwrap();
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reading/study.js");
    script.arg(place).args([&format!("http://{address}"), &password]).arg(&pictures).arg(&list);
    let mut child = script.env("NODE_PATH", modules).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let begun = errors.next().unwrap().unwrap();
    assert_eq!(begun, "begun", "{:?}", errors.collect::<Vec<_>>());
    let is_over = Arc::new(AtomicBool::new(false));
    let killer = std::thread::spawn({
        let (folder, is_over) = (folder.path().to_owned(), Arc::clone(&is_over));
        move || {
            let mut kills = 0;
            while !is_over.load(Ordering::Relaxed) && kills < KILLS {
                std::thread::sleep(Duration::from_millis(1500 + 700 * kills as u64));
                node.kill();
                node = Serving::start(&folder, &["--roles", "receive,pages", "--http", &address]);
                kills += 1;
            }
            while !is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
            }
            (node, kills)
        }
    });
    let said = std::thread::spawn(move || errors.map_while(Result::ok).collect::<Vec<_>>().join("\n"));
    let output = child.wait_with_output().unwrap();
    is_over.store(true, Ordering::Relaxed);
    let (node, kills) = killer.join().unwrap();
    assert!(output.status.success(), "{}", said.join().unwrap());
    assert_eq!(kills, KILLS, "the readers were done before the server was killed so often");
    let reported: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((reported["count"].as_u64(), reported["of"].as_u64()), (Some(2100), Some(2100)), "{reported}");
    assert_eq!(reported["status"], 200);
    check(&std::fs::read_to_string(pictures.join("ratings.csv")).unwrap(), &reported["times"]);
    drop(node);
}

/// Each reader answered each film once, as the script's rule says, and the times are those that the browsers measured.
fn check(ratings: &str, times: &Value) {
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut item_of: BTreeMap<&str, usize> = BTreeMap::new();
    let mut compared = 0;
    for line in ratings.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        assert!(seen.entry(cells[0]).or_default().insert(cells[2]), "{line} is there twice");
        let number: usize = cells[0][1..].parse::<usize>().unwrap() - 1;
        // Rows come in the order of items.
        let item = item_of.entry(cells[0]).or_default();
        assert_eq!(cells[4], ((7 * number + *item) % 2).to_string(), "{line}");
        if let Some(measured) = times[number.to_string()][item.to_string()].as_array() {
            let stored: f64 = cells[7].parse().unwrap();
            let is_near = |one: &Value| {
                let [before, after] = [0, 1].map(|at| one[at].as_f64().unwrap());
                (before - 100.0 < 1000.0 * stored) && (1000.0 * stored < after + 100.0)
            };
            assert!(measured.iter().any(is_near), "{line}: the browser measured {measured:?} ms");
            compared += 1;
        }
        *item += 1;
    }
    assert_eq!(seen.len(), READERS);
    assert!(seen.values().all(|films| films.len() == FILMS));
    assert!(compared > 200, "only {compared} times of browsers were compared");
}
