"""The component: its address, its certificate, its end."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import subprocess
import time

import anyio
import httpx
import msgspec
import pytest
from free_ports import free_port

from hulian.network.exchange.spine.tls import shown_certificate
from hulian.platform.api import service as module
from hulian.platform.api.errors import CertificateError, PortError
from hulian.platform.api.service import ApiService
from hulian.platform.api.streaming import Streaming


def configured(stack, **changes):
    return dataclasses.replace(stack.dependencies, configuration=msgspec.structs.replace(stack.settings, **changes))


def served(stack, check, **changes):
    """Runs another API beside the shared one while ``check`` looks at it in a thread."""

    async def main():
        service = ApiService(configured(stack, **changes))
        async with anyio.create_task_group() as group:
            await group.start(service.run)
            result = await anyio.to_thread.run_sync(check, service)
            began = time.monotonic()
            group.cancel_scope.cancel()
        return result, time.monotonic() - began

    return anyio.run(main, backend_options={"use_uvloop": True})


def test_https_with_a_certificate_of_the_local_authority(stack, tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_bytes(stack.anonymous().get("/ca.pem").content)

    def check(service):
        context = ssl.create_default_context(cafile=str(authority))
        with httpx.Client(base_url=service.url, verify=context) as client:
            reply = client.post("/api/v1/session", json={"user": "admin", "password": stack.password})
            assert "Secure" in reply.headers["set-cookie"]
            assert "max-age" in reply.headers["strict-transport-security"]
            return client.get("/api/v1/session").status_code

    status, _ = served(stack, check, tls=True)
    assert status == 200


def test_a_renewed_certificate_is_shown_without_a_restart_whatever_its_key(stack, tmp_path):
    """RSA, then an elliptic key, then files that do not fit each other: the last good one stays."""
    chain, key = tmp_path / "given.pem", tmp_path / "given.key"

    def make(*kind):
        line = ["openssl", "req", "-x509", *kind, "-nodes", "-days", "9", "-subj", "/CN=x", "-keyout", key, "-out", chain]
        subprocess.run(line, check=True, capture_output=True)
        return ssl.PEM_cert_to_DER_cert(chain.read_text())

    first = make("-newkey", "rsa:2048")

    def check(service):
        assert service.url.startswith("https://")
        shown = [shown_certificate("127.0.0.1", service.port)]
        with httpx.Client(base_url=service.url, verify=False) as kept:
            assert kept.get("/ca.pem").status_code == 200
            second = make("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
            service.tls.renew()
            shown.append(shown_certificate("127.0.0.1", service.port))
            key.write_text("no key")
            with pytest.raises(CertificateError):
                service.tls.renew()
            shown.append(shown_certificate("127.0.0.1", service.port))
            assert kept.get("/ca.pem").status_code == 200
        return shown == [first, second, second]

    assert served(stack, check, certificate=str(chain), key=str(key))[0]


def test_the_end_comes_soon_although_streams_are_open(stack):
    links = []

    def check(service):
        link = socket.create_connection(("127.0.0.1", service.port))
        token = stack.token("read")
        request = f"GET /api/v1/live?topics=status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        link.sendall(request.encode())
        assert b"200 OK" in link.recv(4096)
        links.append(link)

    _, seconds = served(stack, check)
    assert seconds < 8
    rest = b""
    links[0].settimeout(5)
    while chunk := links[0].recv(4096):
        rest += chunk
    assert not rest.startswith(b"HTTP/1.1 5")
    links[0].close()


def test_whoever_stops_in_the_middle_of_a_request_is_cut_off(stack, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.3)

    def check(service):
        for start in (
            b"",
            b"GET /api/v1/he",
            b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{",
        ):
            with socket.create_connection(("127.0.0.1", service.port)) as link:
                link.sendall(start)
                link.settimeout(10)
                while link.recv(4096):
                    pass

    served(stack, check)


def test_a_port_in_use_and_a_wrong_certificate_are_told_at_once(stack, tmp_path):
    port = free_port()

    async def run(**changes):
        async with anyio.create_task_group() as group:
            await group.start(ApiService(configured(stack, **changes)).run)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(PortError) as refused:
            _alone(run, port=port)
        assert str(port) in refused.value.message
        assert refused.value.hint
    with pytest.raises(PortError):
        _alone(run, host="203.0.113.7")
    with pytest.raises(CertificateError):
        _alone(run, certificate="/nowhere/cert.pem")
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    with pytest.raises(CertificateError):
        _alone(run, certificate=str(wrong), key=str(wrong))


def _alone(run, **changes):
    """The one error inside the task group."""

    async def main():
        try:
            await run(**changes)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group

    anyio.run(main)


def test_a_stream_is_closed_when_its_reader_leaves():
    closed = []

    async def source():
        try:
            while True:
                yield b"x"
                await anyio.sleep(0)
        finally:
            closed.append(True)

    async def main():
        response = await Streaming(source(), "text/plain").prepare()
        sent = []

        async def receive():
            while len(sent) < 5:
                await anyio.sleep(0)
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        with anyio.fail_after(5):
            await response.to_asgi_response(None, None)({}, receive, send)
        assert closed == [True]
        assert sent[0]["status"] == 200

    anyio.run(main)
