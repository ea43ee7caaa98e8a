"""Peers of a node from PyPI.

    peers.py web URL FILE [TOKEN]   dicomweb-client: STOW-RS, QIDO-RS and WADO-RS
    peers.py fhir URL               fhir.resources: every FHIR resource of the node
    peers.py scu PORT FILE          pynetdicom: C-ECHO and C-STORE
    peers.py scp PORT COUNT         pynetdicom: takes so many result objects, printing `took`, SOP class, patient of each

What is wrong ends the program with an error.
"""

import json
import sys
import threading
import urllib.request
from io import BytesIO

role = sys.argv[1]

if role == "web":
    from dicomweb_client.api import DICOMwebClient
    from pydicom import dcmread

    url, path = sys.argv[2:4]
    headers = {"Authorization": f"Bearer {sys.argv[4]}"} if len(sys.argv) > 4 else None
    client = DICOMwebClient(f"{url}/dicom-web", headers=headers)
    film = dcmread(path)
    answer = client.store_instances([film])
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [film.SOPInstanceUID]
    study, series, instance = film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID
    found = client.search_for_studies(search_filters={"StudyInstanceUID": study}, fields=["PatientID"])
    assert [one["0020000D"]["Value"][0] for one in found] == [study]
    assert [one["0020000E"]["Value"][0] for one in client.search_for_series(study)] == [series]
    assert [one["00080018"]["Value"][0] for one in client.search_for_instances(study, series)] == [instance]
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    metadata = client.retrieve_instance_metadata(study, series, instance)
    assert metadata["00280010"]["Value"] == [film.Rows]
    whole = client.retrieve_instance(study, series, instance)
    assert whole.PixelData == film.PixelData
    assert len(client.retrieve_study(study)) >= 1
    frame = client.retrieve_instance_frames(study, series, instance, [1])[0]
    assert frame == film.PixelData[: len(frame)] and len(frame) == film.Rows * film.Columns * 2
    from PIL import Image

    picture = client.retrieve_instance_rendered(study, series, instance, media_types=("image/png",))
    assert Image.open(BytesIO(picture)).size == (film.Columns, film.Rows)
elif role == "fhir":
    from fhir.resources import get_fhir_model_class

    def get(path):
        return json.load(urllib.request.urlopen(f"{sys.argv[2]}{path}"))

    def valid(resource):
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)

    valid(get("/fhir/metadata"))
    bundle = get("/fhir/DiagnosticReport")
    valid(bundle)
    reports = [entry["resource"] for entry in bundle["entry"]]
    observations = 0
    for report in reports:
        for reference in report.get("result", []):
            if not reference["reference"].startswith("#"):
                valid(get(f"/fhir/{reference['reference']}"))
            observations += 1
    print(len(reports), observations)
elif role == "scu":
    from pydicom import dcmread
    from pynetdicom import AE
    from pynetdicom.sop_class import Verification

    film = dcmread(sys.argv[3])
    ae = AE("PEER")
    ae.add_requested_context(Verification)
    ae.add_requested_context(film.SOPClassUID, film.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", int(sys.argv[2]), ae_title="COXA")
    assert association.is_established, "no association"
    assert association.send_c_echo().Status == 0
    assert association.send_c_store(film).Status == 0
    association.release()
elif role == "scp":
    from pynetdicom import AE, AllStoragePresentationContexts, evt

    left, done = int(sys.argv[3]), threading.Event()

    def store(event):
        global left
        print("took", event.request.AffectedSOPClassUID, event.dataset.PatientID, flush=True)
        left -= 1
        return 0x0000

    ae = AE("ARCHIVE")
    ae.supported_contexts = AllStoragePresentationContexts
    handlers = [(evt.EVT_C_STORE, store), (evt.EVT_RELEASED, lambda _: left > 0 or done.set())]
    server = ae.start_server(("127.0.0.1", int(sys.argv[2])), block=False, evt_handlers=handlers)
    print("ready", flush=True)
    assert done.wait(120), f"{left} objects did not come"
    server.shutdown()
else:
    sys.exit(__doc__)
