"""nginx: what moving bytes over HTTP costs on this machine, without tokens, records or durability."""

import os
from contextlib import ExitStack
from pathlib import Path

from ..population import Population
from ..processes import HOST, Server, running
from ..wrk import UNIQUE, Load, unique_body
from .contestant import FILES, Contestant, Transfer, contents, new_port

CONFIGURATION = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
worker_processes auto;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    client_max_body_size 8g;
    client_body_temp_path {folder}/incoming;
    proxy_temp_path {folder}/unused;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
    server {{
        listen {host}:{port};
        root {folder}/files;
        location / {{
            dav_methods PUT;
        }}
        location = /readyz {{
            return 200;
        }}
    }}
}}
"""


class Nginx(Contestant):
    name = "nginx"
    title = "nginx: sendfile, WebDAV PUT"
    server: Server
    files: Path

    def open(self, stack: ExitStack, folder: Path, _: Population | None) -> float:
        self.files = folder / "files"
        self.files.mkdir()
        # Workers of root's nginx would be of a user who cannot write here.
        user = "user root;" if os.geteuid() == 0 else ""
        text = CONFIGURATION.format(user=user, folder=folder, host=HOST, port=new_port(self))
        (folder / "nginx.conf").write_text(text)
        command = [self.programs.nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
        self.server = stack.enter_context(running(command, folder))
        return self.server.wait_until_ready(self.port)

    def pids(self) -> list[int]:
        return self.server.pids()

    def store(self, size: int) -> Load:
        return Load("PUT", [f"/{UNIQUE}"], body=unique_body(size))

    def retrieve(self, size: int) -> Load:
        for number, content in enumerate(contents(size)):
            (self.files / f"{number}.bin").write_bytes(content)
        return Load("GET", [f"/{number}.bin" for number in range(FILES)])

    def metadata(self) -> Load:
        """The mark for a short answer: a file of 1 KiB."""
        return self.retrieve(1024)

    def stream(self) -> Transfer:
        return Transfer("PUT", "/large.bin", "/large.bin")
