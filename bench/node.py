#!/usr/bin/env python3
"""Measures a whole node: films come by C-STORE, are read, and their results go to Orthanc.

Usage: bench/node.py [--only latency|throughput|memory|nodes] [--coxa PROGRAM] [--films N] [--postgres URL]

latency     One film after another, each after the last one's results: from the film's last byte to the moment when Orthanc has accepted
            all its results, beside decoding and network alone (the node's own figure for the same films), as medians.
throughput  1,000 films over 8 associations: films a second from the first byte to the last result, beside the network alone
            (`coxa bench --only detect`, the same precision and threads, before and after). Every film must have one result.
memory      10,000 films of 512 pixels: resident memory of the node after every 500 films that are read, with one arena for glibc's
            allocator, as deploy/coxa.service has it.
nodes       400 films through 1, 2 and 3 nodes on one PostgreSQL database (--postgres, an empty one), each node with half the machine's
            threads, so that a second node finds some free.

Films are simulated once (24 of 1,844 × 1,844 pixels, 16 bits) and sent under new UIDs. Needs dcmtk, Orthanc for `latency`, and for
`nodes` a program built with `--features full`.
"""
import argparse, json, os, re, shutil, socket, sqlite3, statistics, subprocess, sys, tempfile, threading, time, urllib.request
from pathlib import Path

ORTHANC = next((path for path in ("/usr/sbin/Orthanc", "/usr/bin/Orthanc") if os.path.exists(path)), None)


def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def films(coxa, work, side, count, start=0):
    """Writes `count` films under UIDs of their own, from simulated ones; returns their paths."""
    source = work / f"simulated-{side}"
    if not source.exists():
        subprocess.run([coxa, "simulate", "pelvis", "--n", "24", "--size", str(side), "--format", "dicom", "--seed", "7", "--out", source],
                       check=True, stderr=subprocess.DEVNULL)
    originals = [path.read_bytes() for path in sorted(source.glob("images/*.dcm"))]
    folder = work / f"films-{side}-{start}-{count}"
    folder.mkdir()
    paths = []
    for film in range(start, start + count):
        data = originals[film % len(originals)]
        for uid in set(re.findall(rb"2\.25\.\d{20,}", data)):
            data = data.replace(uid, uid[:-8] + b"%08d" % film)
        paths.append(folder / f"{film:06}.dcm")
        paths[-1].write_bytes(data)
    return paths


class Node:
    """A node in a process of its own."""

    def __init__(self, coxa, data, arguments=(), title="COXA"):
        self.http, self.dicom, self.data = port(), port(), data
        self.process = subprocess.Popen(
            [coxa, "serve", "--data", data, "--http", f"127.0.0.1:{self.http}", "--dicom", f"127.0.0.1:{self.dicom}", *arguments],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.first_password = None
        for line in self.process.stderr:
            if line.startswith("first sign-in"):
                self.first_password = line.split()[-1]
            if line.startswith("ready"):
                break
        else:
            sys.exit("the node does not start")
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()

    def get(self, path):
        return urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}").read().decode()

    def done(self):
        states = json.loads(self.get("/api/v1/status"))["films"]
        return sum(states.get(state, 0) for state in ("read", "not_read", "failed"))

    def resident_mib(self):
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self):
        self.process.terminate()
        self.process.wait()


def orthanc(work):
    place = work / "orthanc"
    place.mkdir()
    dicom, http = port(), port()
    (place / "orthanc.json").write_text(json.dumps({
        "DicomAet": "ORTHANC", "DicomPort": dicom, "HttpPort": http, "StorageDirectory": str(place), "IndexDirectory": str(place),
        "DicomAlwaysAllowStore": True, "DicomAlwaysAllowEcho": True, "AuthenticationEnabled": False, "Plugins": []}))
    process = subprocess.Popen([ORTHANC, place / "orthanc.json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while subprocess.run(["echoscu", "-aec", "ORTHANC", "127.0.0.1", str(dicom)], stderr=subprocess.DEVNULL).returncode:
        time.sleep(0.1)
    return process, dicom


def store(paths, to):
    return subprocess.Popen(["storescu", "-aec", "COXA", "127.0.0.1", str(to), *map(str, paths)], stderr=subprocess.DEVNULL)


def wait_for(nodes, count, each=lambda done: None):
    while (done := nodes[0].done()) < count:
        each(done)
        time.sleep(0.1)
    each(done)


def latency(options, work):
    archive, dicom = orthanc(work)
    config = work / "coxa.toml"
    config.write_text(f'[[destination]]\nname = "pacs"\nae_title = "ORTHANC"\nhost = "127.0.0.1"\nport = {dicom}\n')
    node = Node(options.coxa, work / "data", ["--config", config])
    count = options.films or 60
    for path in films(options.coxa, work, 1844, count):
        before = node.done()
        store([path], node.dicom).wait()
        wait_for([node], before + 1)
        while json.loads(node.get("/api/v1/status"))["destinations"][0]["due"]:
            time.sleep(0.05)
    database = sqlite3.connect(f"file:{work}/data/coxa.sqlite?mode=ro", uri=True)
    rows = database.execute("SELECT film.received_at, reading.read_at, (SELECT MAX(done_at) FROM send JOIN instance AS object "
                            "ON object.id = send.object_id WHERE object.film_id = film.id) "
                            "FROM instance AS film JOIN reading ON reading.film_id = film.id WHERE film.kind = 'film'").fetchall()
    whole = statistics.median((done - received) / 1000 for received, _, done in rows)
    text = node.get("/metrics")
    seconds, times = (float(re.search(rf"coxa_reading_seconds_{part} (\S+)", text)[1]) for part in ("sum", "count"))
    alone = 1000 * seconds / times
    print(f"{len(rows)} films, one at a time: results accepted by Orthanc after {whole:.0f} ms (median), decoding and network "
          f"{alone:.0f} ms (mean): {whole / alone:.2f} times")
    node.stop()
    archive.terminate()


def network_alone(options):
    """Films a second of the network in a loop, without decoding, receiving or a database; the shipped one sees each film and its mirror
    image, a batch of two."""
    threads = ["--threads", str(os.cpu_count())]
    line = subprocess.run([options.coxa, "bench", "--only", "detect", "--precision", "bf16", "--batch", "2", "--runs", "100", *threads, "--json"],
                         check=True, capture_output=True, text=True).stdout
    return 1000 / json.loads(line)["median_ms"]


def send_over(paths, associations, to):
    return [store(paths[first::associations], to[first % len(to)]) for first in range(associations)]


def throughput(options, work):
    count = options.films or 1000
    paths = films(options.coxa, work, 1844, count)
    before = network_alone(options)
    node = Node(options.coxa, work / "data")
    begun = time.monotonic()
    for client in send_over(paths, 8, [node.dicom]):
        client.wait()
    received = time.monotonic() - begun
    wait_for([node], count)
    rate = count / (time.monotonic() - begun)
    after = network_alone(options)
    lines = [json.loads(line) for line in node.get("/api/v1/readings").splitlines()]
    assert len({line["sop_instance_uid"] for line in lines}) == len(lines) == count, "each film has one result"
    print(f"{count} films over 8 associations: received in {received:.0f} s, {rate:.2f} read a second; network alone {before:.2f} before, {after:.2f} after: "
          f"{rate / statistics.mean((before, after)):.2f}; memory {node.resident_mib():.0f} MiB")
    node.stop()


def memory(options, work):
    count, part = options.films or 10_000, 500
    os.environ["MALLOC_ARENA_MAX"] = "1"
    node = Node(options.coxa, work / "data")
    print("films read, MiB resident")
    for start in range(0, count, part):
        paths = films(options.coxa, work, 512, part, start)
        for client in send_over(paths, 4, [node.dicom]):
            client.wait()
        shutil.rmtree(paths[0].parent)
        wait_for([node], start + part)
        print(f"{start + part}, {node.resident_mib():.0f}", flush=True)
    node.stop()


def nodes(options, work):
    if not options.postgres:
        sys.exit("nodes needs --postgres URL of an empty database")
    count, threads = options.films or 400, max(1, os.cpu_count() // 2)
    for number in (1, 2, 3):
        subprocess.run(["psql", "-q", options.postgres, "-c", "DROP SCHEMA public CASCADE", "-c", "CREATE SCHEMA public"], check=True,
                       stderr=subprocess.DEVNULL)
        objects = work / f"bucket-{number}"
        objects.mkdir()
        config = work / "nodes.toml"
        key = work / "secrets.key"
        key.write_text("5" * 64)
        config.write_text(f"[network]\nthreads = {threads}\n[people]\nkey_file = \"{key}\"\n")
        group = [Node(options.coxa, work / f"data-{number}-{node}",
                      ["--config", config, "--database", options.postgres, "--objects", f"file://{objects}", "--node", f"node{node}"])
                 for node in range(number)]
        paths = films(options.coxa, work, 1844, count, 1000 * number)
        begun = time.monotonic()
        for client in send_over(paths, 8, [node.dicom for node in group]):
            client.wait()
        received = time.monotonic() - begun
        wait_for(group, count)
        rate = count / (time.monotonic() - begun)
        print(f"{number} node(s) of {threads} thread(s): received in {received:.0f} s, {rate:.2f} films read a second, "
              f"{sum(node.resident_mib() for node in group):.0f} MiB in all", flush=True)
        for node in group:
            node.stop()
        shutil.rmtree(paths[0].parent)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["latency", "throughput", "memory", "nodes"])
    parser.add_argument("--coxa", default="target/release/coxa", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--films", type=int)
    parser.add_argument("--postgres")
    options = parser.parse_args()
    for task in (latency, throughput, memory, nodes):
        if options.only in (None, task.__name__) and not (task is nodes and options.only is None and not options.postgres):
            with tempfile.TemporaryDirectory() as work:
                task(options, Path(work))


if __name__ == "__main__":
    main()
