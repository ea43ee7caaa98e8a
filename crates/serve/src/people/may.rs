//! Who may do what: one function, which every route asks before its handler runs, and again where a rule hangs on the row.

use super::role::{Role, Roles};
use super::session::Stage;
use crate::db::Scope;

/// A person who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The row.
    pub id: i64,
    /// The name that is signed in with.
    pub name: String,
    /// As other people read it.
    pub full_name: String,
    /// What the person is here.
    pub roles: Roles,
    /// Whether the person decides in an open labeling of films that the node received.
    pub is_labeling: bool,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// Somebody who has shown nothing.
    Nobody,
    /// A program on this machine, where the interfaces want no token.
    Local,
    /// A program with a token.
    Token {
        /// The token's name.
        name: String,
        /// What it allows.
        scope: Scope,
    },
    /// A person whose sign-in still lacks the second factor or a new password.
    Unfinished(Person, Stage),
    /// A person.
    Person(Person),
}

impl Asker {
    /// The person, whose sign-in is whole.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::Person(person) => Some(person),
            _ => None,
        }
    }
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Health, figures, style sheets: nothing of any film or person.
    Open,
    /// The sign-in form.
    SignIn,
    /// Signing out.
    SignOut,
    /// The choice of the pages' language.
    Language,
    /// The second factor.
    EnterCode,
    /// The new password after a one-time password.
    ChoosePassword,
    /// One's own account.
    Account,
    /// Worklist and viewer: films, patients, results.
    Films,
    /// A review of a film.
    Review,
    /// A review taken back, by its author.
    UndoReview,
    /// A reader's personal link to a study.
    Join,
    /// The films of a reader study, by its readers.
    Reading,
    /// Reader studies: made, watched, locked.
    Studies,
    /// Labelings: watched, closed.
    Labelings,
    /// A labeling made, of films that the network's results may choose.
    MakeLabeling,
    /// The films of a labeling, by those who decide in it.
    Label,
    /// What was decided in a labeling: agreement and tables.
    LabelingResults,
    /// Queues, destinations, refused associations.
    Operations,
    /// Resend, test a destination.
    Operate,
    /// Other people's accounts.
    People,
    /// The audit log: read, verify, export.
    Audit,
    /// Monitoring: counts and scores of films, none by itself.
    Monitor,
    /// Labels, recalibration, the baseline of monitoring.
    Calibrate,
    /// A trial of the reader: begun, closed, analyzed.
    Trial,
    /// Final diagnoses of a trial's patients.
    Diagnoses,
    /// Collections of films: how far they are, and their reports; nothing identifies a patient.
    Collections,
    /// Films that a collection withholds: shown, decided about.
    WithheldFilms,
    /// A withheld result shown before the trial's end, by its film.
    Unblind,
    /// DICOMweb: search and retrieve.
    Objects,
    /// DICOMweb: store.
    StoreObjects,
    /// Results as JSON lines or FHIR.
    Results,
    /// The node's state as JSON.
    Status,
    /// Dead letters sent again by a program.
    Resend,
}

/// What an action is done to, as far as a rule depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Anything that the action is done to.
    Any,
    /// A review, by its author; `None` where it is from before there were accounts.
    Review(Option<i64>),
    /// A labeling, by the part that the person has in it.
    Labeling(Part),
}

/// The part that a person has in a labeling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// None, or one in a labeling that is closed.
    Observer,
    /// Decides without the others' decisions.
    Reviewer,
    /// Decides where reviewers differ.
    Adjudicator,
}

/// Whether somebody may do something.
///
/// No role contains another: an administrator opens no film without being a physician too, and cannot read the audit log. Whoever decides in
/// an open labeling sees no result of the network, of any film, in any role: one search that finds a film by its result would show it.
pub fn may(asker: &Asker, action: Action, subject: Subject) -> bool {
    use Action::{
        Account, Audit, Calibrate, ChoosePassword, Collections, Diagnoses, EnterCode, Films, Join, Label,
        LabelingResults, Labelings, Language, MakeLabeling, Monitor, Objects, Open, Operate, Operations, People,
        Reading, Resend, Results, Review, SignIn, SignOut, Status, StoreObjects, Studies, Trial, Unblind, UndoReview,
        WithheldFilms,
    };
    if matches!(action, Open | SignIn | SignOut | Join | Language) {
        return true;
    }
    match asker {
        Asker::Nobody => false,
        Asker::Local => matches!(action, Objects | StoreObjects | Results | Status | Resend),
        Asker::Token { scope, .. } => match action {
            Objects | Results | Status => true,
            StoreObjects | Resend => *scope == Scope::Admin,
            _ => false,
        },
        Asker::Unfinished(_, Stage::Code) => action == EnterCode,
        Asker::Unfinished(_, Stage::Change) => action == ChoosePassword,
        Asker::Unfinished(_, Stage::Full) => false,
        Asker::Person(person) => {
            let is = |role| person.roles.has(role);
            let sees_results = !person.is_labeling;
            match action {
                Open | SignIn | SignOut | Join | Language | Account => true,
                Films | Objects | Results | Review => sees_results && (is(Role::Physician) || is(Role::Reviewer)),
                UndoReview => {
                    let is_author = match subject {
                        Subject::Any | Subject::Labeling(_) => true,
                        Subject::Review(author) => author == Some(person.id),
                    };
                    is_author && sees_results && (is(Role::Physician) || is(Role::Reviewer))
                }
                Reading => is(Role::Reader),
                Studies | Labelings | Collections | WithheldFilms => is(Role::Reviewer),
                MakeLabeling => sees_results && is(Role::Reviewer),
                Label => is(Role::Reviewer) && subject != Subject::Labeling(Part::Observer),
                // Whoever decides blind learns nothing of the others before the labeling is closed.
                LabelingResults => is(Role::Reviewer) && subject != Subject::Labeling(Part::Reviewer),
                Operations | Operate | People | Status | Resend | Calibrate | Trial => is(Role::Administrator),
                Monitor => is(Role::Administrator) || is(Role::Reviewer),
                Diagnoses => is(Role::Physician) || is(Role::Reviewer) || is(Role::Administrator),
                Unblind => sees_results && is(Role::Physician),
                Audit => is(Role::Auditor),
                // Films come from modalities and archives, not from a browser; a sign-in that is whole has no steps left.
                StoreObjects | EnterCode | ChoosePassword => false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: i64, roles: &[Role], is_labeling: bool) -> Asker {
        let roles = roles.iter().fold(Roles::default(), |all, role| all.with(*role));
        Asker::Person(Person { id, name: "a".into(), full_name: "A".into(), roles, is_labeling })
    }

    #[test]
    fn no_role_shows_results_to_whoever_labels() {
        let seen = [Action::Films, Action::Objects, Action::Results, Action::Review, Action::MakeLabeling];
        let both = [Role::Physician, Role::Reviewer];
        for action in seen.into_iter().chain([Action::UndoReview, Action::Unblind]) {
            assert!(may(&person(1, &both, false), action, Subject::Any), "{action:?}");
            assert!(!may(&person(1, &both, true), action, Subject::Any), "{action:?}");
        }
        for action in [Action::Labelings, Action::Label, Action::Account] {
            assert!(may(&person(1, &both, true), action, Subject::Any), "{action:?}");
        }
    }

    #[test]
    fn a_blind_reviewer_labels_and_sees_no_results() {
        let of = |role| person(1, &[role], false);
        let reviewer = of(Role::Reviewer);
        for (part, labels, sees) in
            [(Part::Reviewer, true, false), (Part::Adjudicator, true, true), (Part::Observer, false, true)]
        {
            assert_eq!(may(&reviewer, Action::Label, Subject::Labeling(part)), labels);
            assert_eq!(may(&reviewer, Action::LabelingResults, Subject::Labeling(part)), sees);
            assert!(!may(&of(Role::Physician), Action::Label, Subject::Labeling(part)));
        }
    }

    #[test]
    fn a_review_is_undone_by_its_author_alone() {
        let person = |id| person(id, &[Role::Physician], false);
        assert!(may(&person(1), Action::UndoReview, Subject::Review(Some(1))));
        assert!(!may(&person(2), Action::UndoReview, Subject::Review(Some(1))));
        assert!(!may(&person(1), Action::UndoReview, Subject::Review(None)));
        assert!(!may(&Asker::Local, Action::UndoReview, Subject::Any));
    }
}
