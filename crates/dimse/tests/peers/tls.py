"""pynetdicom as the peer over mutual TLS.

    tls.py scu PORT AUTHORITY CERTIFICATE KEY   asks a node for an echo, and stores an object there
    tls.py scp PORT AUTHORITY CERTIFICATE KEY   serves one association, and prints what it stores
"""

import ssl
import sys
import threading

from pydicom.dataset import Dataset, FileMetaDataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import SecondaryCaptureImageStorage as CAPTURE
from pynetdicom.sop_class import Verification

EXPLICIT = "1.2.840.10008.1.2.1"
role, port, authority, certificate, key = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if role == "scu" else ssl.PROTOCOL_TLS_SERVER)
context.verify_mode = ssl.CERT_REQUIRED
context.load_verify_locations(authority)
context.load_cert_chain(certificate, key)

if role == "scu":
    ae = AE("PEER")
    ae.add_requested_context(Verification)
    ae.add_requested_context(CAPTURE, EXPLICIT)
    association = ae.associate("127.0.0.1", port, ae_title="COXA", tls_args=(context, "127.0.0.1"))
    assert association.is_established, "no association"
    assert association.send_c_echo().Status == 0
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.PatientID = CAPTURE, "2.25.7", "SIMULATED"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = EXPLICIT
    assert association.send_c_store(data).Status == 0
    association.release()
else:
    done = threading.Event()

    def store(event):
        print(event.request.AffectedSOPInstanceUID, event.dataset.PatientID, flush=True)
        return 0x0000

    ae = AE("COXA")
    ae.add_supported_context(Verification)
    ae.add_supported_context(CAPTURE, EXPLICIT)
    handlers = [(evt.EVT_C_STORE, store), (evt.EVT_RELEASED, lambda _: done.set())]
    server = ae.start_server(("127.0.0.1", port), block=False, ssl_context=context, evt_handlers=handlers)
    print("ready", flush=True)
    assert done.wait(30), "no association"
    server.shutdown()
