"""A page in a browser reads and writes nothing of the local cloud's engines.

usage: browser.py FIREFLY_LOCAL

Starts the local cloud, and a page of another port in Chromium that tries every way a page has to reach DynamoDB, S3 and
AppConfig. The same attempts on a server that lets everybody in have to succeed, so that they are known to be ones. Needs
chromium on PATH, and boto3.
"""

import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import urllib.parse

import boto3

DEADLINE_SECONDS = 120
CHROMIUM = [
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    # A name that an attacker makes resolve to this machine (DNS rebinding).
    "--host-resolver-rules=MAP attacker.example 127.0.0.1",
]

# Every attempt reports what the page could read, or that it could read nothing.
PAGE = """<!doctype html><title>an innocent page</title><body><script>
const targets = TARGETS;
const item = JSON.stringify({TableName: 'firefly-devices', Item: {uuid: {S: 'written-by-a-page'}}});
const json = {'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.PutItem'};
const forged = {...json, authorization: 'AWS4-HMAC-SHA256 Credential=firefly-local/20260101/us-east-1/dynamodb/' +
  'aws4_request, SignedHeaders=host, Signature=' + '0'.repeat(64), 'x-amz-date': '20260101T000000Z'};
const read = async response => response.status + ' ' + await response.text();
const element = (tag, attributes, event) => new Promise((resolve, reject) => {
  const made = Object.assign(document.createElement(tag), attributes);
  made.onload = () => resolve(event); made.onerror = () => reject(new Error('not loaded'));
  document.body.append(made);
});
const form = (url, enctype) => new Promise(resolve => {
  const frame = document.createElement('iframe'); frame.name = 'f' + Math.random();
  const made = Object.assign(document.createElement('form'), {action: url, method: 'POST', enctype, target: frame.name});
  made.append(Object.assign(document.createElement('input'), {name: item, value: ''}));
  document.body.append(frame, made);
  frame.onload = () => { let text = ''; try { text = frame.contentDocument.body.textContent; } catch {} resolve(text); };
  made.submit();
});
const attempts = {
  get: url => fetch(url).then(read),
  options: url => fetch(url, {method: 'OPTIONS'}).then(read),
  put: url => fetch(url + 'BUCKET/written-by-a-page', {method: 'PUT', body: 'x'}).then(read),
  remove: url => fetch(url + 'BUCKET/kept', {method: 'DELETE'}).then(read),
  simple: url => fetch(url, {method: 'POST', body: item}).then(read),
  item: url => fetch(url, {method: 'POST', headers: json, body: item}).then(read),
  forged: url => fetch(url, {method: 'POST', headers: forged, body: item}).then(read),
  session: url => fetch(url + 'configurationsessions', {method: 'POST', body: '{}'}).then(read),
  opaque: url => fetch(url, {method: 'POST', mode: 'no-cors', body: item}).then(read),
  beacon: async url => { navigator.sendBeacon(url, item); return ''; },
  plain_form: url => form(url, 'text/plain'),
  coded_form: url => form(url, 'application/x-www-form-urlencoded'),
  script: url => element('script', {src: url}, 'run'),
  image: url => element('img', {src: url}, 'shown'),
  events: url => new Promise((resolve, reject) => {
    const source = new EventSource(url); source.onopen = () => resolve('open'); source.onerror = () => reject(new Error('closed'));
  }),
};
(async () => {
  const outcomes = {};
  for (const [target, url] of Object.entries(targets)) for (const [name, attempt] of Object.entries(attempts)) {
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error('no answer')), 5000));
    try { outcomes[target + ' ' + name] = 'read: ' + await Promise.race([attempt(url), late]); }
    catch (error) { outcomes[target + ' ' + name] = 'nothing: ' + error.message; }
  }
  outcomes['gateway health'] = await fetch('GATEWAY/health').then(read, error => 'nothing: ' + error.message);
  await fetch('/outcomes', {method: 'POST', body: JSON.stringify(outcomes)});
})();
</script>"""


class Open(http.server.BaseHTTPRequestHandler):
    """A server that lets every page in, as no engine may."""

    seen = []

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        type(self).seen.append((self.command, self.path, body))
        self.send_response(200)
        for name in ("origin", "headers", "methods"):
            self.send_header(f"access-control-allow-{name}", {"methods": "GET,POST,PUT,DELETE,OPTIONS"}.get(name, "*"))
        # `*` does not stand for Authorization.
        self.send_header("access-control-allow-headers", "authorization")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_):
        pass


class Page(http.server.BaseHTTPRequestHandler):
    """Serves the page and takes its outcomes."""

    page = b""
    outcomes = None
    done = threading.Event()

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.page)

    def do_POST(self):
        type(self).outcomes = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(204)
        self.end_headers()
        self.done.set()

    def log_message(self, *_):
        pass


def serve(handler):
    """Serves on a free port, and returns the port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def browse(url, profile, *flags):
    return subprocess.Popen([*CHROMIUM, f"--user-data-dir={profile}", *flags, url], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)


def check(binary, work):
    arguments = [binary, "--listen", "127.0.0.1:0", "--ephemeral", "--data-dir", str(work / "data")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as cloud:
        try:
            first, second = cloud.stdout.readline(), cloud.stdout.readline()
            gateway = first.split()[-1]
            bucket = second.split()[-1]
            printed = subprocess.run([binary, "env", "--data-dir", str(work / "data")], check=True, capture_output=True,
                                     text=True).stdout
            attempt(gateway, bucket, dict(re.findall(r"export (\w+)='([^']*)'", printed)), work)
        finally:
            cloud.terminate()


def attempt(gateway, bucket, env, work):
    credentials = {
        "aws_access_key_id": env["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"],
        "aws_session_token": env["AWS_SESSION_TOKEN"],
        "region_name": env["AWS_REGION"],
    }
    dynamodb = boto3.client("dynamodb", endpoint_url=env["AWS_ENDPOINT_URL_DYNAMODB"], **credentials)
    s3 = boto3.client("s3", endpoint_url=env["AWS_ENDPOINT_URL_S3"], **credentials)
    s3.put_object(Bucket=bucket, Key="kept", Body=b"a backup")

    engines = {name: env[f"AWS_ENDPOINT_URL_{name.upper()}"] + "/" for name in ("dynamodb", "s3", "appconfigdata")}
    ports = {name: urllib.parse.urlsplit(url).port for name, url in engines.items()}
    targets = {"open": f"http://127.0.0.1:{serve(Open)}/", **engines}
    targets.update({f"{name} by-name": f"http://localhost:{port}/" for name, port in ports.items()})
    targets.update({f"{name} rebound": f"http://attacker.example:{port}/" for name, port in ports.items()})
    page = PAGE.replace("TARGETS", json.dumps(targets)).replace("BUCKET", bucket).replace("GATEWAY", gateway)
    Page.page = page.encode()
    browser = browse(f"http://127.0.0.1:{serve(Page)}/", work / "profile", "--remote-debugging-port=0")
    try:
        if not Page.done.wait(DEADLINE_SECONDS):
            raise SystemExit("the page did not end; does chromium run?")
    finally:
        browser.kill()

    outcomes = Page.outcomes
    wrong = [f"{name}: {outcome}" for name, outcome in outcomes.items()
             if not name.startswith(("open ", "gateway ")) and not harmless(name, outcome)]
    # The same attempts read and write where they are let in.
    for name in ("get", "options", "put", "remove", "simple", "item", "forged", "session"):
        if outcomes[f"open {name}"] != "read: 200 {}":
            wrong.append(f"the attempt {name} does nothing: {outcomes[f'open {name}']}")
    written = [method for method, _, body in Open.seen if method == "PUT" or b"written-by-a-page" in body]
    if len(written) < 8:
        wrong.append(f"the attempts to write do nothing: {Open.seen}")
    if not outcomes["gateway health"].startswith("200 "):
        wrong.append(f"the gateway's CORS is not that of its template: {outcomes['gateway health']}")

    # A page whose own name resolves to an engine is of the engine's origin, and could read whatever it is answered.
    for name, port in ports.items():
        for host in ("attacker.example", "127.0.0.1"):
            shown = browse(f"http://{host}:{port}/", work / f"profile-{name}-{host}", "--dump-dom")
            dom = re.sub(r"<[^>]*>", "", shown.communicate(timeout=DEADLINE_SECONDS)[0]).strip()
            # Chromium's own page for an answer of 403 without a body names the host alone.
            if any(word in dom for word in ("dynamodb", "Table", "Error", "<Code>", "firefly", bucket)):
                wrong.append(f"{name} as {host} shows {dom[-200:]!r}")

    if "Item" in dynamodb.get_item(TableName="firefly-devices", Key={"uuid": {"S": "written-by-a-page"}}):
        wrong.append("the page has written an item")
    if [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] != ["kept"]:
        wrong.append("the page has changed the bucket")
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(f"{len(outcomes)} attempts of a page in Chromium: nothing read, nothing written")


def harmless(name, outcome):
    """Returns True if the page has read nothing. Opaque answers and foreign frames come back empty, and beacons say nothing."""
    empty = {"opaque": "read: 0 ", "beacon": "read: ", "plain_form": "read: ", "coded_form": "read: "}
    return outcome.startswith("nothing: ") or outcome == empty.get(name.split()[-1])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: browser.py FIREFLY_LOCAL")
    os.umask(0o077)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        check(sys.argv[1], pathlib.Path(directory))
