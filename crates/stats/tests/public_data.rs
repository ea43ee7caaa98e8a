//! Public data that this repository does not hold: pROC's aSAH, where it is at hand.

use coxa_stats::auc::{self, AucInterval};
use coxa_stats::{Level, Scored};

use crate::fixture::{Row, close_to, rows};

fn data(name: &str) -> Option<Vec<Row>> {
    coxa_testing::data(&format!("stats/{name}")).map(|path| rows(&path))
}

#[test]
fn asah() {
    let Some(rows) = data("aSAH.csv") else { return };
    let truth: Vec<bool> = rows.iter().map(|r| r.text("outcome") == "Poor").collect();
    assert_eq!(truth.len(), 113);
    let column = |name: &str| -> Vec<f64> { rows.iter().map(|r| r.number(name)).collect() };
    let (s100b, wfns, ndka) = (column("s100b"), column("wfns"), column("ndka"));
    for (name, scores, area, variance, low, high) in [
        ("s100b", &s100b, 0.7313685636856369, 0.00266868245717244, 0.6301182117616226, 0.8326189156096511),
        ("wfns", &wfns, 0.8236788617886179, 0.00146991470882363, 0.7485348878194529, 0.898822835757783),
        ("ndka", &ndka, 0.611957994579946, 0.0031908105493913, 0.501244999271703, 0.722670989888189),
    ] {
        let sample = Scored::new(scores, &truth).unwrap();
        let estimate = auc::delong(sample, Level::P95, AucInterval::Wald).unwrap();
        close_to(name, estimate.value, area, 1e-12);
        close_to(name, auc::variance(sample).unwrap(), variance, 1e-12);
        close_to(name, estimate.low().unwrap(), low, 1e-12);
        close_to(name, estimate.high().unwrap(), high, 1e-12);
    }
    for (name, a, b, z, p) in [
        ("wfns-s100b", &wfns, &s100b, 2.20898359144091, 0.0271757822291882),
        ("wfns-ndka", &wfns, &ndka, 2.79777591868904, 0.00514557970691098),
        ("ndka-s100b", &ndka, &s100b, -1.39077002573558, 0.164295175223054),
    ] {
        let (a, b) = (Scored::new(a, &truth).unwrap(), Scored::new(b, &truth).unwrap());
        let test = auc::paired_delong(a, b, Level::P95).unwrap();
        close_to(name, test.statistic, z, 1e-12);
        close_to(name, test.p, p, 1e-12);
    }
}
