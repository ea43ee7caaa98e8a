//! Drift and quantiles against base R's ks.test and quantile.

use coxa_stats::drift::{counts, kolmogorov_smirnov, quantile_edges, stability_index};
use coxa_stats::{Estimate, Level, order};
use serde_json::Value;

use crate::fixture::{close, expected, folder, number, rows};

fn compare(what: &str, actual: Estimate, expected: &Value) {
    close(what, actual.value, &expected["value"]);
    match expected["low"].as_f64() {
        Some(_) => {
            close(what, actual.low().unwrap(), &expected["low"]);
            close(what, actual.high().unwrap(), &expected["high"]);
        }
        None => assert!(actual.limits.is_err(), "{what}: {actual:?}"),
    }
}

#[test]
fn drift() {
    let samples = rows(&folder("drift").join("samples.csv"));
    let mut exact = 0;
    for (set, expected) in expected("drift").as_object().unwrap() {
        let of = |name: &str| -> Vec<f64> {
            let of_set = samples.iter().filter(|row| row.text("set") == set && row.text("sample") == name);
            of_set.map(|row| row.number("value")).collect()
        };
        let (reference, current) = (of("reference"), of("current"));
        let found = kolmogorov_smirnov(&reference, &current, Level::P95).unwrap();
        close(set, found.distance.value, &expected["distance"]);
        close(set, found.at, &expected["at"]);
        close(set, found.distance.low().unwrap(), &expected["low"]);
        close(set, found.distance.high().unwrap(), &expected["high"]);
        let (name, is_exact) = if expected["exact"].is_null() { ("asymptotic", false) } else { ("exact", true) };
        assert_eq!(found.test.method.ends_with("exact"), is_exact, "{set}");
        exact += usize::from(is_exact);
        // R 4.2 takes the exact p from 1, which leaves 1e-14 of the smallest.
        let p = number(&expected[name]);
        if p < 1e-12 {
            assert!(found.test.p < 1e-12, "{set}: {:e}", found.test.p);
        } else {
            close(set, found.test.p, &expected[name]);
        }
        let edges = quantile_edges(&reference, 10);
        let (e, a) = (counts(&reference, &edges), counts(&current, &edges));
        let listed = |name: &str| -> Vec<u64> {
            expected["psi"][name].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect()
        };
        assert_eq!((e.clone(), a.clone()), (listed("reference"), listed("current")), "{set}");
        let index = stability_index(&e, &a, Level::P95).unwrap();
        compare(set, index.index, &expected["psi"]);
        close(set, index.test.p, &expected["psi"]["p"]);
        close(set, index.by_chance, &expected["psi"]["by_chance"]);
        compare(set, order::quantile(&current, 0.5, Level::P95).unwrap(), &expected["median"]);
        compare(set, order::quantile(&current, 0.9, Level::P95).unwrap(), &expected["ninth"]);
    }
    assert_eq!(exact, 3);
}
