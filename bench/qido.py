#!/usr/bin/env python3
"""Times QIDO-RS over 100,000 films on SQLite: milliseconds of each search, the median and the slowest of 50.

Usage: bench/qido.py [COXA] [FILMS]. A node is started on a folder of its own, one film is stored, and its row is multiplied in the database.
Needs dcmtk's dump2dcm and storescu.
"""
import os, socket, sqlite3, statistics, subprocess, sys, tempfile, time, urllib.request

coxa = sys.argv[1] if len(sys.argv) > 1 else "target/release/coxa"
films = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


with tempfile.TemporaryDirectory() as work:
    http, dicom = port(), port()
    node = subprocess.Popen(
        [coxa, "serve", "--data", f"{work}/data", "--roles", "receive,pages", "--http", f"127.0.0.1:{http}", "--dicom", f"127.0.0.1:{dicom}"],
        stderr=subprocess.PIPE, text=True)
    while not node.stderr.readline().startswith("ready"):
        pass
    open(f"{work}/film.txt", "w").write("""(0008,0016) UI =DigitalXRayImageStorageForPresentation
(0008,0018) UI 2.25.1
(0008,0020) DA 20240101
(0008,0060) CS DX
(0010,0010) PN SIMULATED^FILM
(0010,0020) LO SIM1
(0020,000d) UI 2.25.2
(0020,000e) UI 2.25.3
(0028,0010) US 2
(0028,0011) US 2
""")
    subprocess.run(["dump2dcm", "+te", "-q", f"{work}/film.txt", f"{work}/film.dcm"], check=True)
    subprocess.run(["storescu", "-aec", "COXA", "127.0.0.1", str(dicom), f"{work}/film.dcm"], check=True)
    db = sqlite3.connect(f"{work}/data/coxa.sqlite")
    columns = [row[1] for row in db.execute("PRAGMA table_info(instance)") if row[1] != "id"]
    row = dict(zip(columns, db.execute(f"SELECT {', '.join(columns)} FROM instance").fetchone()))

    def rows():
        for film in range(films):
            yield {**row, "sop_instance_uid": f"2.26.{film}", "study_uid": f"2.27.{film}", "series_uid": f"2.28.{film}",
                   "patient_id": f"SIM{film % 70000}", "patient_name": f"NAME{film % 5000}^SIMULATED", "accession_number": f"A{film}",
                   "study_date": f"{2010 + film % 15}{1 + film % 12:02d}{1 + film % 28:02d}", "sha256": f"{film:064x}"}

    db.executemany(f"INSERT INTO instance ({', '.join(columns)}) VALUES ({', '.join(':' + c for c in columns)})", rows())
    db.execute("ANALYZE")
    db.commit()
    for query in ["studies?limit=100", "studies?limit=100&offset=50000", "studies?PatientID=SIM4711", "studies?PatientName=NAME471*&limit=100",
                  "studies?AccessionNumber=A99", "studies?StudyDate=20200101-20200131&limit=100", "studies/2.27.77/series",
                  "instances?SOPInstanceUID=2.26.500", "studies?ModalitiesInStudy=DX&limit=100"]:
        times = []
        for _ in range(50):
            begun = time.perf_counter()
            urllib.request.urlopen(f"http://127.0.0.1:{http}/dicom-web/{query}").read()
            times.append(1000 * (time.perf_counter() - begun))
        print(f"{query:<45} median {statistics.median(times):6.1f} ms, slowest {max(times):6.1f} ms")
    node.terminate()
    node.wait()
