"""Signs in as the first administrator and keeps the pages of every kind: session.py ADDRESS PASSWORD FOLDER [ID OF A FILM].

Prints the value of the header Cookie. Python's own library is enough.
"""

import http.client
import re
import sys
import urllib.parse

address, password, folder = sys.argv[1:4]
host = address.removeprefix("http://")
cookie = ""


def ask(method, path, fields=None):
    global cookie
    connection = http.client.HTTPConnection(host, timeout=30)
    headers = {"Accept": "text/html", "Origin": address, "Cookie": cookie}
    body = None
    if fields is not None:
        body = urllib.parse.urlencode(fields)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.getheader("Set-Cookie"):
        cookie = answer.getheader("Set-Cookie").split(";")[0]
    return answer.status, answer.getheader("Location"), text


def form_of(page):
    return re.search(r'name="form" value="([^"]*)"', page).group(1)


_, signin, _ = ask("GET", "/signin")
status, to, _ = ask("POST", "/signin", {"name": "admin", "password": password})
assert status == 303, f"the sign-in answers {status}"
_, _, page = ask("GET", to)
fields = {"password": "four unrelated words here", "again": "four unrelated words here", "form": form_of(page)}
status, _, _ = ask("POST", "/signin/password", fields)
assert status == 303, f"the new password is answered with {status}"

kept = {"change": page}
_, _, worklist = ask("GET", "/")
film = re.search(r"/films/(\d+)", worklist)
for name, path in {
    "worklist": "/", "empty": "/?q=nobody", "operations": "/operations", "people": "/people", "audit": "/audit", "me": "/me",
    "api": "/api", "missing": "/films/999999", "viewer": film.group(0) if film else None,
}.items():
    if path:
        kept[name] = ask("GET", path)[2]
_, _, page = ask("GET", "/me")
kept["factor"] = ask("POST", "/me/factor", {"form": form_of(page)})[2]
kept["reviews"] = ask("GET", film.group(0))[2] if film else ""
now, cookie = cookie, ""
kept["signin"] = ask("GET", "/signin")[2]
for name, text in kept.items():
    if text:
        with open(f"{folder}/{name}.html", "w", encoding="utf-8") as file:
            file.write(text)
print(now)
