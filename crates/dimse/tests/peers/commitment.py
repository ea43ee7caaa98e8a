"""pynetdicom as the peer of storage commitment, in both roles.

    commitment.py scu NODE_PORT OWN_PORT         asks the node for two objects, waits for its report on OWN_PORT, prints it
    commitment.py scp same|new NODE_PORT OWN_PORT   answers one request by a report on the same or on a new association

The first line on standard output is `ready`.
"""

import sys
import threading

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.sop_class import StorageCommitmentPushModel as PUSH

INSTANCE = "1.2.840.10008.1.20.1.1"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def reference(n, reason=None):
    item = Dataset()
    item.ReferencedSOPClassUID = CAPTURE
    item.ReferencedSOPInstanceUID = f"2.25.{n}"
    if reason is not None:
        item.FailureReason = reason
    return item


def scu(node, own):
    done = threading.Event()

    def report(event):
        data = event.event_information
        stored = [item.ReferencedSOPInstanceUID for item in data.get("ReferencedSOPSequence", [])]
        failed = [(item.ReferencedSOPInstanceUID, hex(item.FailureReason)) for item in data.get("FailedSOPSequence", [])]
        print(event.request.EventTypeID, data.TransactionUID, stored, failed, flush=True)
        done.set()
        return 0x0000, None

    ae = AE("PEER")
    ae.add_supported_context(PUSH, scu_role=True, scp_role=True)
    server = ae.start_server(("127.0.0.1", own), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, report)])
    print("ready", flush=True)
    ae.add_requested_context(PUSH)
    association = ae.associate("127.0.0.1", node, ae_title="COXA")
    assert association.is_established, "no association"
    data = Dataset()
    data.TransactionUID = "2.25.1000"
    data.ReferencedSOPSequence = [reference(1), reference(2)]
    status, _ = association.send_n_action(data, 1, PUSH, INSTANCE)
    assert status.Status == 0x0000, status
    association.release()
    assert done.wait(30), "no report"
    server.shutdown()


def scp(where, node, own):
    done = threading.Event()

    def report_on(association, transaction):
        data = Dataset()
        data.TransactionUID = transaction
        data.ReferencedSOPSequence = [reference(1)]
        data.FailedSOPSequence = [reference(2, 0x0112)]
        status, _ = association.send_n_event_report(data, 2, PUSH, INSTANCE)
        print(f"{status.Status:04X}", flush=True)
        done.set()

    def call(transaction):
        ae = AE("PEER")
        ae.add_requested_context(PUSH)
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = PUSH, False, True
        association = ae.associate("127.0.0.1", node, ae_title="COXA", ext_neg=[role])
        assert association.is_established and association.accepted_contexts[0].as_scp, "no role"
        report_on(association, transaction)
        association.release()

    def action(event):
        transaction = event.action_information.TransactionUID
        work, arguments = (report_on, (event.assoc, transaction)) if where == "same" else (call, (transaction,))
        # After the answer to the request has been sent.
        threading.Timer(0.2, work, arguments).start()
        return 0x0000, None

    ae = AE("PEER")
    ae.add_supported_context(PUSH)
    server = ae.start_server(("127.0.0.1", own), block=False, evt_handlers=[(evt.EVT_N_ACTION, action)])
    print("ready", flush=True)
    assert done.wait(30), "no request"
    server.shutdown()


if sys.argv[1] == "scu":
    scu(int(sys.argv[2]), int(sys.argv[3]))
else:
    scp(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
