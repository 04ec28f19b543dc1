"""The proxies' examples in docs/server.md, read by the proxies themselves where these are installed."""

import base64
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

DOCUMENT = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")


def example(kind: str) -> str:
    (found,) = re.findall(rf"```{kind}\n(.*?)```", DOCUMENT, re.DOTALL)
    return found


class Backend(BaseHTTPRequestHandler):
    """Stands for the app: answers with the host that it was asked for."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["Host"].encode())

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def backend():
    with HTTPServer(("127.0.0.1", 0), Backend) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def nginx(backend, tmp_path):
    """The address of nginx, on a port of its own and without encryption, before the backend."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "passwords").write_text("class:{PLAIN}secret\n")
    tmp_path.chmod(0o755)
    server = example("nginx").replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    server = server.replace("127.0.0.1:8501", f"127.0.0.1:{backend}")
    server = server.replace("/etc/nginx/cfs.htpasswd", str(tmp_path / "passwords"))
    kept = "".join(f"{each}_temp_path {tmp_path};\n" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = f"pid {tmp_path}/pid;\ndaemon off;\nmaster_process off;\nerror_log {tmp_path}/errors;\nevents {{}}\n"
    (tmp_path / "nginx.conf").write_text(f"{text}http {{\naccess_log off;\n{kept}{server}}}\n")
    process = subprocess.Popen(["nginx", "-c", str(tmp_path / "nginx.conf")], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    for _ in range(100):
        try:
            ask(url, None)
            return
        except urllib.error.URLError:
            time.sleep(0.1)


def ask(url: str, password: str | None, data: bytes | None = None) -> tuple[int, str]:
    request = urllib.request.Request(url, data=data, method="PUT" if data else "GET")
    if password:
        request.add_header("Authorization", f"Basic {base64.b64encode(password.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_nginx_asks_for_the_password_and_passes_the_host_on_with_its_port(nginx):
    """The app takes a WebSocket only from a page of the host, port included, that it is asked for."""
    assert ask(nginx, "class:secret") == (200, nginx.removeprefix("http://"))
    assert ask(f"{nginx}/_stcore/upload_file/a/b", None, b"x") == (401, "")
    assert ask(nginx, "class:wrong") == (401, "")


def test_caddy_reads_its_example(tmp_path):
    if shutil.which("caddy") is None:
        pytest.skip("caddy is not installed")
    version = subprocess.run(["caddy", "version"], capture_output=True, text=True, check=True).stdout
    major, minor = map(int, re.search(r"(\d+)\.(\d+)", version).groups())
    text = example("caddy").replace("$2a$14$...", "$2a$14$" + "a" * 53)
    if (major, minor) < (2, 8):  # as the document says
        text = text.replace("basic_auth", "basicauth")
    (tmp_path / "Caddyfile").write_text(text)
    command = ["caddy", "adapt", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
