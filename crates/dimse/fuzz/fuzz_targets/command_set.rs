//! Any bytes as a command set: an error, or a set that is read from its own bytes as it was, whose answer holds no forged UID.

#![no_main]

use coxa_dimse::command::{CommandSet, element};
use coxa_dimse::{Status, Uid};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(command) = CommandSet::parse(bytes) else { return };
    // A group length of its own is left out of what is written.
    let again = CommandSet::parse(&command.to_bytes()).unwrap();
    assert_eq!(again.to_bytes(), command.to_bytes());
    assert_eq!((again.operation(), again.message_id(), again.status()), (command.operation(), command.message_id(), command.status()));
    let answer = CommandSet::response_to(&command, Status::SUCCESS);
    assert!(answer.is_response());
    for place in [element::AFFECTED_SOP_CLASS, element::AFFECTED_SOP_INSTANCE] {
        if let Some(text) = answer.text(place) {
            assert!(Uid::parse(text).is_some());
        }
    }
});
