#!/usr/bin/env python3
"""Times the worklist while films arrive and are read: 100,000 films of the last 24 hours in the table, eight more a second by C-STORE.

Usage: bench/worklist.py [COXA] [FILMS] [SECONDS]. Twenty requests a second, of the page, its renewing part, and filtered ones in turn; prints
the median, the 99th percentile and the slowest. Needs dcmtk. The films that arrive are small (256 pixels), so that two cores keep up.
"""
import http.cookiejar, json, re, socket, sqlite3, statistics, subprocess, sys, tempfile, threading, time, urllib.parse, urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import node as nodes

coxa = str(Path(sys.argv[1] if len(sys.argv) > 1 else "target/release/coxa").resolve())
count = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 60


def multiply(database, films):
    """Rows like those of one film that was read, spread over the last 24 hours, one in five called."""
    db = sqlite3.connect(database)
    db.row_factory = sqlite3.Row
    film = dict(db.execute("SELECT * FROM instance WHERE kind = 'film'").fetchone())
    reading = dict(db.execute("SELECT * FROM reading").fetchone())
    now = int(time.time() * 1e6)
    for number in range(films):
        row = {**film, "id": film["id"] + 10 + number, "sop_instance_uid": f"2.26.{number}", "study_uid": f"2.27.{number}", "series_uid": f"2.28.{number}",
               "patient_id": f"SIM{number % 70000}", "patient_name": f"NAME{number % 5000}^SIMULATED", "accession_number": f"A{number}",
               "sha256": f"{number:064x}", "received_at": now - int(86_000e6 * (films - number) / films), "is_positive": int(number % 5 == 0)}
        db.execute(f"INSERT INTO instance ({', '.join(row)}) VALUES ({', '.join(':' + key for key in row)})", row)
        read = {**reading, "film_id": row["id"], "read_at": row["received_at"] + 400_000}
        db.execute(f"INSERT INTO reading ({', '.join(read)}) VALUES ({', '.join(':' + key for key in read)})", read)
    db.commit()


def signed_in(root, password):
    """A session of the first administrator, who chooses a password."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar(
        policy=http.cookiejar.DefaultCookiePolicy(strict_domain=False))))
    browser.addheaders = [("Origin", root)]
    post = lambda path, **fields: browser.open(root + path, urllib.parse.urlencode(fields).encode()).read().decode()
    page = post("/signin", name="admin", password=password, next="/")
    form = re.search(r'name="form" value="([^"]+)"', page)[1]
    post("/signin/password", form=form, password="only for a measurement", again="only for a measurement", next="/")
    return browser


with tempfile.TemporaryDirectory() as work:
    work = Path(work)
    node = nodes.Node(coxa, work / "data")
    nodes.store(nodes.films(coxa, work, 256, 1), node.dicom).wait()
    nodes.wait_for([node], 1)
    multiply(work / "data/coxa.sqlite", count)
    browser = signed_in(f"http://127.0.0.1:{node.http}", node.first_password)
    arriving = nodes.films(coxa, work, 256, 8 * seconds, 1000)
    begun, times, states = time.monotonic(), [], []

    def arrive():
        for second in range(seconds):
            time.sleep(max(0, begun + second - time.monotonic()))
            nodes.store(arriving[8 * second:8 * second + 8], node.dicom).wait()

    def ask(first):
        for turn in range(first, 20 * seconds, 4):
            time.sleep(max(0, begun + turn / 20 - time.monotonic()))
            path = ["/", "/worklist", "/worklist?finding=positive&review=none", "/worklist?date=7", "/worklist?page=300", "/worklist?state=not_read"][turn // 4 % 6]
            asked = time.monotonic()
            assert b"Films, 24 h" in browser.open(f"http://127.0.0.1:{node.http}{path}").read()
            times.append((1000 * (time.monotonic() - asked), path))

    threads = [threading.Thread(target=arrive), *(threading.Thread(target=ask, args=(first,)) for first in range(4))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    behind = 1 + len(arriving) + count - node.done()
    values = sorted(value for value, _ in times)
    print(f"{count} films in the table, {8 * seconds} more in {seconds} s ({behind} of them not yet read); {len(values)} requests: median "
          f"{statistics.median(values):.0f} ms, 99th percentile {values[int(0.99 * len(values))]:.0f} ms, slowest {values[-1]:.0f} ms")
    for path in sorted({path for _, path in times}):
        print(f"  {path:<45} median {statistics.median(value for value, other in times if other == path):.0f} ms")
    node.stop()
