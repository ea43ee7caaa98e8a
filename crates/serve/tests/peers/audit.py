"""Audit messages on standard input, one a line, against the schema of PS3.15, A.5.1.1, and the tables of A.5.1.2, written out as rules."""

import base64
import re
import sys
import xml.etree.ElementTree as tree

DATE_TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
UID = re.compile(r"[0-2]((\.0)|(\.[1-9][0-9]*))*")


def token(value):
    return value == " ".join(value.split())


def text(value):
    return True


def one_of(*values):
    return lambda value: value in values


def numbers(last):
    return one_of(*map(str, range(1, last + 1)))


def matches(pattern):
    return lambda value: pattern.fullmatch(value) is not None


def encoded(value):
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        return False
    return True


CODE = {"csd-code!": token, "codeSystemName!": token, "originalText!": token, "displayName": token}
# An element: its attributes (`!`: it must be there), then its children in their order with how many there may be.
SCHEMA = {
    "AuditMessage": ({}, [("EventIdentification", 1, 1), ("ActiveParticipant", 1, None), ("AuditSourceIdentification", 1, 1),
                          ("ParticipantObjectIdentification", 0, None)]),
    "EventIdentification": (
        {"EventActionCode": one_of("C", "R", "U", "D", "E"), "EventDateTime!": matches(DATE_TIME),
         "EventOutcomeIndicator!": one_of("0", "4", "8", "12")},
        [("EventID", 1, 1), ("EventTypeCode", 0, None), ("EventOutcomeDescription", 0, 1)]),
    "EventID": (CODE, []),
    "EventTypeCode": (CODE, []),
    "EventOutcomeDescription": ({}, []),
    "ActiveParticipant": (
        {"UserID!": text, "AlternativeUserID": text, "UserName": text, "UserIsRequestor!": one_of("true", "false", "0", "1"),
         "NetworkAccessPointID": token, "NetworkAccessPointTypeCode": numbers(5)},
        [("RoleIDCode", 0, None), ("MediaIdentifier", 0, 1)]),
    "RoleIDCode": (CODE, []),
    "MediaIdentifier": ({}, [("MediaType", 1, 1)]),
    "MediaType": (CODE, []),
    "AuditSourceIdentification": ({"AuditEnterpriseSiteID": token, "AuditSourceID!": token}, [("AuditSourceTypeCode", 0, None)]),
    "AuditSourceTypeCode": ({"csd-code!": numbers(9)}, []),
    "ParticipantObjectIdentification": (
        {"ParticipantObjectID!": token, "ParticipantObjectTypeCode": numbers(4), "ParticipantObjectTypeCodeRole": numbers(26),
         "ParticipantObjectDataLifeCycle": numbers(15), "ParticipantObjectSensitivity": token},
        [("ParticipantObjectIDTypeCode", 1, 1), ("ParticipantObjectName", 1, 1), ("ParticipantObjectDetail", 0, None),
         ("ParticipantObjectDescription", 0, None)]),
    "ParticipantObjectIDTypeCode": (CODE, []),
    "ParticipantObjectName": ({}, []),
    "ParticipantObjectDetail": ({"type!": token, "value!": encoded}, []),
    "ParticipantObjectDescription": ({}, [("MPPS", 0, None), ("Accession", 0, None), ("SOPClass", 0, None)]),
    "SOPClass": ({"UID": matches(UID), "NumberOfInstances!": matches(re.compile(r"\d+"))}, []),
}
# Roles of objects go with types of objects (A.5.1.2.2): here, those that are used.
ROLES = {"1": {"1"}, "3": {"2"}, "13": {"2"}}


def check(element):
    assert element.tag in SCHEMA, f"{element.tag} is no element of the schema"
    attributes, children = SCHEMA[element.tag]
    known = {name.rstrip("!"): test for name, test in attributes.items()}
    for name, value in element.attrib.items():
        assert name in known, f"{element.tag} has no attribute {name}"
        assert known[name](value), f"{element.tag} {name}={value!r}"
    for name in attributes:
        assert not name.endswith("!") or name[:-1] in element.attrib, f"{element.tag} lacks {name[:-1]}"
    order = [name for name, _, _ in children]
    found = [child.tag for child in element]
    assert all(tag in order for tag in found) and found == sorted(found, key=order.index), f"{element.tag}: {found}"
    for name, least, most in children:
        count = found.count(name)
        assert count >= least and (most is None or count <= most), f"{element.tag} has {count} {name}"
    for child in element:
        check(child)


count = 0
for line in sys.stdin.buffer:
    message = tree.fromstring(line)
    check(message)
    for one in message.iter("ParticipantObjectIdentification"):
        role, kind = one.get("ParticipantObjectTypeCodeRole"), one.get("ParticipantObjectTypeCode")
        assert kind in ROLES[role], f"role {role} with type {kind}"
    for one in message.iter("ActiveParticipant"):
        assert one.get("UserID"), "a participant without an id"
    count += 1
print(count)
