"""A caller as an integrator writes one, with the standard library alone: upload, run, poll, download; a batch with a signed
callback; one run's output as the next one's input. Called with the base URL, a key, a picture's path and a model's id."""

import hashlib
import hmac
import json
import mimetypes
import pathlib
import re
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

BASE, KEY, PICTURE, MODEL = sys.argv[1:5]
TERMINAL = {"succeeded", "partial_succeeded", "failed", "canceled"}


def call(method, path, body=None, headers=None):
    request = urllib.request.Request(BASE + path, method=method, headers={"Authorization": f"Bearer {KEY}", **(headers or {})})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    for attempt in range(5):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            if error.code not in (429, 500, 502, 503, 504) or attempt == 4:
                raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}")
            time.sleep(2**attempt / 10)


def upload(path):
    path = pathlib.Path(path)
    mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    data = path.read_bytes()
    ticket = call("POST", "/v1/asset-uploads", {"filename": path.name, "mime_type": mime, "size_bytes": len(data)})
    put = urllib.request.Request(ticket["upload_url"], data=data, method="PUT", headers={"Content-Type": mime})
    with urllib.request.urlopen(put, timeout=60) as answer:
        assert answer.status in (200, 201, 204)
    return call("POST", f"/v1/asset-uploads/{ticket['asset_id']}/confirmations", {})


def wait(run):
    while run["status_code"] not in TERMINAL:
        time.sleep(0.1)
        run = call("GET", f"/v1/runs/{run['id']}")
    assert run["status_code"] == "succeeded", run.get("error")
    return run


def first_url(output):
    return output["outputs"][0]["url"]


def download(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


# Upload, run, poll, download.
asset = upload(PICTURE)
run = wait(call("POST", f"/v1/models/{MODEL}/runs", {"input": {"image_url": f"runflow://assets/{asset['id']}"}, "client_ref": "py-1"}))
picture = download(first_url(run["output"]))
assert len(picture) > 100 and float(run["cost"]) >= 0

# One run's output is the next one's input.
chained = wait(call("POST", f"/v1/models/{MODEL}/runs", {"input": {"image_url": first_url(run["output"])}}))
assert download(first_url(chained["output"]))

# A batch, with its callback checked as the guide says.
came = []


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        came.append((self.headers.get("Runflow-Signature"), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


server = HTTPServer(("127.0.0.1", 0), Hook)
threading.Thread(target=server.serve_forever, daemon=True).start()
secret = call("POST", "/v1/callback-secrets", {"label": "python"})["plain_secret"]
batch = call(
    "POST",
    f"/v1/models/{MODEL}/batches",
    {
        "input": [{"image_url": asset["url"], "client_ref": f"sku-{n}"} for n in range(3)],
        "callback_url": f"http://127.0.0.1:{server.server_port}/hook",
        "metadata": {"season": "spring"},
    },
    {"Idempotency-Key": "python-batch-1"},
)
deadline = time.monotonic() + 120
while not came and time.monotonic() < deadline:
    time.sleep(0.05)
signature, body = came[0]
assert re.fullmatch(r"[0-9a-f]{64}", signature)
assert hmac.compare_digest(hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(), signature)
told = json.loads(body)
assert told["event"] == "batch.succeeded" and told["batch_id"] == batch["id"] and told["metadata"] == {"season": "spring"}
page = call("GET", f"/v1/batches/{batch['id']}/items?limit=2")
items = page["items"]
while page["next"]:
    page = call("GET", f"/v1/batches/{batch['id']}/items?limit=2&pq={page['next']}")
    items += page["items"]
assert [item["client_ref"] for item in items] == ["sku-0", "sku-1", "sku-2"]
assert all(download(first_url(item["output"])) for item in items)
server.shutdown()
print("python: fine")
