//! Whether the arms of a closed trial are those of its secret.

use std::path::Path;

use coxa_files::TableError;
use coxa_files::table::{Table, to_csv};
use coxa_study::trial::{Arm, guarded, unguarded};

use super::{Allocation, TrialPlan, commitment, sealed_arm};

/// The randomized patients of a closed trial in their order, with what the audit log has of each: number, stratum, place, arm, seal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllocationTable {
    /// A row a patient.
    pub rows: Vec<(i64, String, i64, String, String)>,
}

const COLUMNS: [&str; 5] = ["number", "stratum", "place", "arm", "seal"];

impl AllocationTable {
    /// The CSV.
    pub fn csv(&self) -> Vec<u8> {
        to_csv(
            &COLUMNS,
            self.rows.iter().map(|(number, stratum, place, arm, seal)| {
                [number.to_string(), guarded(stratum), place.to_string(), arm.clone(), seal.clone()]
            }),
        )
    }

    /// Reads the CSV; `path` is for error messages.
    ///
    /// # Errors
    /// A file that is no such table, or a value in it.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, TableError> {
        let table = Table::parse(bytes, path)?;
        for column in COLUMNS {
            table.require(column)?;
        }
        let number = |row: &coxa_files::table::Row<'_>, column: &str| {
            row.text(column).parse::<i64>().map_err(|_| row.value_error(column, "a whole number"))
        };
        let rows = table.rows().map(|row| {
            let text = |column: &str| row.text(column).to_owned();
            let stratum = unguarded(row.text("stratum")).to_owned();
            Ok((number(&row, "number")?, stratum, number(&row, "place")?, text("arm"), text("seal")))
        });
        Ok(Self { rows: rows.collect::<Result<_, TableError>>()? })
    }
}

/// What is wrong with an allocation: nothing where the secret is the one that was committed to, and gives each patient's arm and seal.
/// Numbers and places must have no gap.
pub fn verify_allocation(plan: &TrialPlan, secret: &str, committed: &str, table: &AllocationTable) -> Vec<String> {
    let mut faults = Vec::new();
    if commitment(secret) != committed {
        faults.push("the secret is not the one that the trial was begun with".to_owned());
    }
    if let Err(wrong) = plan.check() {
        faults.push(format!("the plan cannot be: {wrong}"));
        return faults;
    }
    let allocation = Allocation::new(secret, plan);
    let mut places = std::collections::BTreeMap::new();
    for (row, (number, stratum, place, arm, seal)) in table.rows.iter().enumerate() {
        if *number != row as i64 + 1 {
            faults.push(format!("number {number} stands where {} is due", row + 1));
        }
        let due = places.entry(stratum.as_str()).or_insert(0i64);
        if place != due {
            faults.push(format!("number {number}: place {place} of its stratum, where {due} is due"));
        }
        *due += 1;
        let expected = u64::try_from(*place).ok().map(|place| allocation.arm(stratum, place));
        if expected.map(Arm::as_str) != Some(arm.as_str()) {
            faults.push(format!("number {number}: the arm is not the one that the secret gives"));
        } else if sealed_arm(secret, *number, stratum, *place, arm) != *seal {
            faults.push(format!("number {number}: the seal is not that of the arm"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stratum_that_a_peer_named_is_no_formula_and_is_read_back() {
        let rows = ["=cmd|' /C calc'!A0", "CT 3"]
            .map(|stratum| (1, stratum.to_owned(), 0, "shown".to_owned(), "s".to_owned()));
        let table = AllocationTable { rows: rows.into() };
        let csv = table.csv();
        assert!(String::from_utf8_lossy(&csv).contains("1,'=cmd"), "{}", String::from_utf8_lossy(&csv));
        assert_eq!(AllocationTable::parse(&csv, Path::new("allocation.csv")).unwrap(), table);
    }
}
