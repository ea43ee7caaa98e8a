//! What must hold for every input.

use proptest::prelude::*;

use crate::film::*;

fn any_element() -> impl Strategy<Value = Vec<u8>> {
    let vr = prop::sample::select(vec![
        "AE", "AS", "CS", "DA", "DS", "DT", "FD", "IS", "LO", "LT", "OB", "PN", "SH", "SQ", "ST", "TM", "UI", "UN",
        "US", "UT",
    ]);
    let group = prop::sample::select(vec![8u16, 9, 0x10, 0x12, 0x18, 0x20, 0x28, 0x32, 0x40, 0x5000, 0x6000]);
    let value = prop_oneof![
        Just(b"Quisling^Zebedee".to_vec()),
        Just(b"ORIGINAL\\PRIMARY\\Quisling".to_vec()),
        Just(b"20170304".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    (group, any::<u16>().prop_map(|e| e & 0x1fff), vr, value)
        .prop_map(|(group, e, vr, value)| element((group, e.max(1)), vr, &value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_elements_leave_no_name_and_a_second_time_changes_nothing(more in prop::collection::vec(any_element(), 0..12)) {
        let mut more = more;
        more.push(element((0x10, 0x10), "PN", b"Quisling^Zebedee"));
        more.sort();
        more.dedup_by(|a, b| a[..4] == b[..4]);
        if let Ok(done) = deidentify(&film(&more)) {
            prop_assert!(!holds(&done.bytes, "Quisling") && !holds(&done.bytes, "Zebedee"));
            prop_assert_eq!(&deidentify(&film(&more)).unwrap().bytes, &done.bytes);
            prop_assert_eq!(&deidentify(&done.bytes).unwrap().bytes, &done.bytes);
        }
    }

    #[test]
    fn no_damage_makes_a_panic(at in 0usize..3000, bytes in prop::collection::vec(any::<u8>(), 1..9)) {
        let mut film = simulated("SIM-000012", "seed 7");
        film.truncate(4000);
        for (n, byte) in bytes.iter().enumerate() {
            let place = 132 + (at + n) % (film.len() - 132);
            film[place] = *byte;
        }
        let _ = deidentify(&film);
    }
}
