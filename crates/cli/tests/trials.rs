//! `coxa trial`: an export is analyzed, an allocation verified, and nothing is printed of a trial that is open.

use coxa_serve::db::Database;
use coxa_serve::trial::{TrialPlan, commitment};

use crate::{json_lines, run, text};

const HEADER: &str = "subject,stratum,place,arm,status,reason,network,probability,reader,decision,hours,seconds,follow_up_hours,fracture,kind,source,diagnosis_days\n";

/// Twenty patients an arm, half with a fracture; the arm without results misses four of ten.
fn rows() -> String {
    let mut rows = HEADER.to_owned();
    for i in 0..40 {
        let (arm, fracture) = (if i % 2 == 0 { "shown" } else { "withheld" }, i < 20);
        let is_called = fracture && !(arm == "withheld" && i < 8);
        let decision = if is_called { "fracture" } else { "no_fracture" };
        rows +=
            &format!("S{i},,{i},{arm},randomized,,1,0.9,R1,{decision},{i}.5,30,900,{},neck,CT,3\n", u8::from(fracture));
    }
    rows + "E1,,,,excluded,opted out,,,,,,,,,,,\n"
}

#[test]
fn an_export_is_analyzed() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, svg) = (folder.path().join("rows.csv"), folder.path().join("flow.svg"));
    std::fs::write(&csv, rows()).unwrap();
    let output = run(&["trial", "analyze", "--rows", text(&csv), "--json", "--flow", text(&svg)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let analysis = &json_lines(&output)[0];
    assert_eq!(analysis["notice"], "research use only");
    assert_eq!(analysis["flow"]["excluded"][0][0], "opted out");
    let arms = &analysis["populations"][0]["arms"];
    assert_eq!((&arms[0]["missed_fractures"], &arms[1]["missed_fractures"]), (&0.into(), &4.into()));
    assert_eq!(arms[1]["sensitivity"]["value"], 0.6);
    assert!(std::fs::read_to_string(&svg).unwrap().contains("Randomized by patient (n = 40)"));
    let words = String::from_utf8(run(&["trial", "analyze", "--rows", text(&csv)]).stdout).unwrap();
    assert!(words.contains("Intention to treat") && words.contains("research use only"), "{words}");
    std::fs::write(&csv, rows().replace("S3,,3,withheld", "S3,,3,hidden")).unwrap();
    let output = run(&["trial", "analyze", "--rows", text(&csv)]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("line 5, column `arm`"), "{error}");
}

#[test]
fn a_trial_is_verified_once_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let data = text(folder.path()).to_owned();
    let plan = TrialPlan { name: "T".into(), planned: 5, ..TrialPlan::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = Database::in_folder(folder.path()).await.unwrap();
        db.begin_trial(&plan, "secret").await.unwrap().unwrap();
        db.close().await;
    });
    for verb in ["analyze", "rows", "allocation", "verify"] {
        let output = run(&["trial", verb, "--data", &data]);
        assert_eq!(output.status.code(), Some(2), "{verb} of an open trial");
        assert!(output.stdout.is_empty());
    }
    runtime.block_on(async {
        let db = Database::in_folder(folder.path()).await.unwrap();
        assert!(db.close_trial(1).await.unwrap());
        db.close().await;
    });
    assert!(run(&["trial", "verify", "--data", &data]).status.success());
    let allocation = folder.path().join("allocation.csv");
    std::fs::write(&allocation, "number,stratum,place,arm,seal\n1,,0,shown,abc\n").unwrap();
    let (plan, hash) = (serde_json::to_string(&plan).unwrap(), commitment("secret"));
    let verify = |secret: &str| {
        run(&[
            "trial",
            "verify",
            "--secret",
            secret,
            "--commitment",
            &hash,
            "--plan",
            &plan,
            "--allocation",
            text(&allocation),
        ])
    };
    let output = verify("secret");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("number 1"), "a seal that is none");
    assert!(String::from_utf8_lossy(&verify("another").stdout).contains("not the one that the trial was begun with"));
}
