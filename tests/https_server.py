"""A web server of the tests' own over https, whose certificate this process trusts."""

import contextlib
import functools
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

PEM = Path(__file__).parent / "fixtures" / "https" / "localhost.pem"


@contextlib.contextmanager
def https_server(folder: Path, handler: type[http.server.SimpleHTTPRequestHandler]) -> Iterator[int]:
    """Serve a folder on localhost; gives the port."""
    answer = functools.partial(handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()
