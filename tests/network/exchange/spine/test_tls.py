"""TLS on the spine and on the MQTT listener: real nats-server, real clients, and who is turned away."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess

import nats
import nats.errors
import paho.mqtt.client as paho
import pytest
from nats_node import DEVICE_PASSWORD

from hulian.kernel.configuration import convert
from hulian.kernel.errors import ConfigurationError
from hulian.network.exchange.spine.configuration import SpineConfiguration, Tls
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.errors import (
    SpineConfigurationError,
    SpineDeniedError,
    SpineUnavailableError,
    SpineUntrustedError,
)
from hulian.network.exchange.spine.server import SpineUser, reload, render
from hulian.network.exchange.spine.tls import ClientTls, SpineTrust
from hulian.trust import CertificateAuthority

pytestmark = pytest.mark.anyio


@pytest.fixture
def authority(tmp_path):
    return CertificateAuthority(tmp_path / "authority", "acme")


@pytest.fixture
def files(authority):
    made = authority.server_certificate([])
    return Tls(certificate=str(made.certificate), key=str(made.key))


@pytest.fixture
def root(authority, tmp_path):
    path = tmp_path / "root-certificate.pem"
    path.write_bytes(authority.root_pem())
    return path


@pytest.fixture
def stranger(tmp_path):
    """The certificate of an authority that nobody here knows."""
    path = tmp_path / "stranger.pem"
    path.write_bytes(CertificateAuthority(tmp_path / "elsewhere", "acme").root_pem())
    return path


@pytest.fixture
async def node(make_node, files, root, anyio_backend):
    one = make_node(trust=SpineTrust(ClientTls(anchors=str(root))), tls=files, mqtt_tls=files)
    await one.open()
    yield one
    one.stop()


async def attempt(node, trust, password=None, timeout=0.3):
    password = node.password("edge") if password is None else password
    async with await Spine.connect(node.url, "edge", password, "probe", tls=trust, timeout=timeout) as spine:
        return await spine.request("$JS.API.INFO")


async def test_our_components_come_in_and_still_need_their_credential(node):
    assert node.url.startswith("tls://")
    assert b"memory" in (await attempt(node, node.trust)).payload
    with pytest.raises(SpineDeniedError):
        await attempt(node, node.trust, "wrong")


async def test_who_does_not_know_our_authority_says_nothing(node, stranger):
    """The server is not believed: the component ends before its password is on the way."""
    with pytest.raises(SpineUntrustedError, match="certificate verify failed") as refused:
        await attempt(node, SpineTrust(ClientTls(anchors=str(stranger))))
    assert refused.value.code == "HL-SPINE-0010"


async def test_plain_text_is_refused(node):
    with pytest.raises(SpineUnavailableError, match="wants TLS"):
        await attempt(node, None)
    reader, writer = await asyncio.open_connection("127.0.0.1", node.configuration.port)
    assert (await reader.readline()).startswith(b"INFO")
    writer.write(b'CONNECT {"user":"edge","pass":"%s","verbose":true}\r\nPING\r\n' % node.password("edge").encode())
    rest = b""
    with contextlib.suppress(ConnectionResetError):
        rest = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert b"PONG" not in rest
    assert b"+OK" not in rest


async def test_our_password_never_goes_to_a_server_without_tls(node):
    """Whoever takes the port and asks for no TLS hears nothing: nats-py by itself would go on in plain text."""
    heard = bytearray()

    async def impostor(reader, writer):
        writer.write(b'INFO {"server_id":"x","version":"2.10.0","proto":1,"max_payload":1048576,"auth_required":true}\r\n')
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1000):
                heard.extend(data)
                writer.write(b"PONG\r\n")
        writer.close()

    async with await asyncio.start_server(impostor, "127.0.0.1", 0) as server:
        url = f"tls://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(SpineUntrustedError, match="does not speak TLS"):
            await Spine.connect(url, "edge", "the password", "edge", tls=node.trust, timeout=0.3)
    assert heard == b""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("listener", ["port", "mqtt_port"])
async def test_nothing_older_than_tls_1_2_is_spoken(node, root, listener):
    port = getattr(node.configuration, listener)

    def spoken(*versions) -> str | None:
        context = ssl.create_default_context(cafile=root)
        context.minimum_version, context.maximum_version = versions
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # our own side would speak the old ones
        with contextlib.closing(_tcp(port)) as plain:
            if listener == "port":
                assert plain.recv(4096).startswith(b"INFO")
            try:
                with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                    return secure.version()
            except OSError:
                return None

    assert ssl.HAS_TLSv1, "this side has to be able to speak it, or the test shows nothing"
    old = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]
    assert [await asyncio.to_thread(spoken, ssl.TLSVersion.TLSv1, version) for version in old] == [None, None]
    assert await asyncio.to_thread(spoken, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert await asyncio.to_thread(spoken, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"


def _tcp(port):
    import socket

    return socket.create_connection(("127.0.0.1", port), timeout=10)


async def test_a_client_of_another_make_is_held_to_the_same(node, root, stranger):
    """nats-py as it comes, in place of our own client."""
    options = {"user": "edge", "password": node.password("edge"), "allow_reconnect": False, "connect_timeout": 5}
    client = await nats.connect(node.url, tls=ssl.create_default_context(cafile=root), **options)
    assert client.is_connected
    await client.close()
    with pytest.raises(ssl.SSLCertVerificationError):
        await nats.connect(node.url, tls=ssl.create_default_context(cafile=stranger), **options)


async def test_the_connection_comes_back_under_a_renewed_certificate(node, authority, tmp_path):
    """Another root altogether: what is believed is read anew at each connection."""
    made = CertificateAuthority(tmp_path / "next", "acme").server_certificate([])
    async with await node.connect("edge") as spine:
        node.kill()
        for old, new in ((node.configuration.tls.certificate, made.certificate), (node.configuration.tls.key, made.key)):
            shutil.copy(new, old)
        shutil.copy(made.certificate, node.trust._files.anchors)
        await node.start()
        await asyncio.wait_for(spine.wait_connected(), 20)
        assert (await spine.request("$JS.API.INFO")).payload


async def test_a_given_certificate_is_believed_by_itself_whatever_its_names(make_node, tmp_path):
    """As one that an organisation's own authority made for ``plant.example``, while components go to the loopback."""
    made = _foreign(tmp_path / "given", "plant.example")
    tls = Tls(certificate=str(made / "server.pem"), key=str(made / "server.key"))
    one = make_node(trust=SpineTrust(ClientTls(anchors=tls.certificate, pinned=True)), tls=tls)
    await one.start()
    assert (await attempt(one, one.trust)).payload
    another = _foreign(tmp_path / "other", "plant.example")
    with pytest.raises(SpineUntrustedError):
        await attempt(one, SpineTrust(ClientTls(anchors=str(another / "server.pem"), pinned=True)))


def _foreign(directory, name):
    """A self-signed certificate made by OpenSSL's own command."""
    directory.mkdir()
    line = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}"]
    line += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", directory / "server.key", "-out", directory / "server.pem"]
    subprocess.run(line, check=True, capture_output=True)
    return directory


async def test_where_a_client_certificate_is_asked_for_only_its_holder_comes_in(make_node, authority, files, root):
    own = authority.own_client_certificate("spineclient")
    shown = ClientTls(anchors=str(root), certificate=str(own.certificate), key=str(own.key))
    asking = Tls(certificate=files.certificate, key=files.key, authority=str(root))
    one = make_node(trust=SpineTrust(shown), tls=asking)
    await one.start()
    assert (await attempt(one, one.trust)).payload
    with pytest.raises(SpineDeniedError):
        await attempt(one, one.trust, "wrong")
    with pytest.raises(SpineUnavailableError):
        await attempt(one, SpineTrust(ClientTls(anchors=str(root))))
    server = ClientTls(anchors=str(root), certificate=files.certificate, key=files.key)
    with pytest.raises(SpineUnavailableError):
        await attempt(one, SpineTrust(server))


class TestMqtt:
    """Devices on the listener."""

    async def test_a_device_that_trusts_us_comes_in_with_its_password(self, node, root):
        assert await _mqtt(node, root) == "welcome"
        assert await _mqtt(node, root, password="wrong") == "refused"

    async def test_a_device_that_does_not_trust_us_stays_away(self, node, stranger):
        assert await _mqtt(node, stranger) == "no TLS"

    async def test_plain_text_is_refused(self, node):
        assert await _mqtt(node, None) == "cut off"

    @pytest.mark.skipif(not shutil.which("mosquitto_pub"), reason="mosquitto-clients is not installed")
    async def test_mosquittos_client_is_held_to_the_same(self, node, root, stranger):
        line = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(node.configuration.mqtt_port), "-V", "311", "-q", "1"]
        line += ["-u", "device", "-t", "plant/a", "-m", "1"]

        async def publish(*more) -> int:
            return (await asyncio.to_thread(subprocess.run, [*line, *more], capture_output=True, timeout=30)).returncode

        secure = ("--cafile", str(root))
        assert await publish("-P", DEVICE_PASSWORD, *secure) == 0
        assert await publish("-P", DEVICE_PASSWORD, "--cafile", str(stranger)) != 0
        assert await publish("-P", "wrong", *secure) != 0
        assert await publish("-P", DEVICE_PASSWORD) != 0


async def _mqtt(node, authority, password=DEVICE_PASSWORD) -> str:
    """How a device's attempt with paho ends."""

    def connect() -> str:
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="probe", protocol=paho.MQTTv311)
        client.username_pw_set("device", password)
        if authority is not None:
            client.tls_set(str(authority))
        answers: list[str] = []
        client.on_connect = lambda *given: answers.append("refused" if given[3].is_failure else "welcome")
        client.on_disconnect = lambda *given: answers.append("cut off")
        try:
            client.connect("127.0.0.1", node.configuration.mqtt_port)
            while not answers:
                if client.loop(1) != paho.MQTT_ERR_SUCCESS:
                    break
        except ssl.SSLError:
            return "no TLS"
        except OSError:
            return "cut off"
        finally:
            client.disconnect()
        return answers[0] if answers else "cut off"

    return await asyncio.wait_for(asyncio.to_thread(connect), 30)


@pytest.mark.parametrize("listener", ["port", "mqtt_port"])
async def test_a_reload_takes_a_renewed_certificate_into_use(node, authority, tmp_path, root, listener):
    """What renewing relies on: SIGHUP is enough, and those who are connected stay so."""
    port = getattr(node.configuration, listener)
    before = await asyncio.to_thread(_shown, port, root, listener == "port")
    async with await node.connect("edge") as spine:
        downs = []
        spine.listen(downs.append)
        authority.server_certificate(["another.example"])
        reload(node.directory)
        async with asyncio.timeout(20):
            while await asyncio.to_thread(_shown, port, root, listener == "port") == before:
                await asyncio.sleep(0.05)
        await spine.request("$JS.API.INFO")
        assert downs == []


def _shown(port, root, greets) -> bytes:
    """The certificate that a listener shows now (DER)."""
    with _tcp(port) as plain:
        if greets:
            assert plain.recv(4096).startswith(b"INFO")
        with ssl.create_default_context(cafile=root).wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            return secure.getpeercert(binary_form=True)


async def test_half_a_pair_and_missing_files_are_told_before_the_start(tmp_path, files):
    with pytest.raises(ConfigurationError, match="belong together"):
        convert({"tls": {"certificate": "x"}}, SpineConfiguration, place="hulian.toml")
    user = SpineUser(name="a", password_hash="$2b$04$x", publish=("x",))
    with pytest.raises(SpineConfigurationError, match="no certificate yet"):
        render(SpineConfiguration(tls=Tls()), [user], tmp_path)
    with pytest.raises(SpineConfigurationError, match="no file"):
        render(SpineConfiguration(mqtt_tls=Tls(certificate="/no/such", key="/no/such")), [user], tmp_path)
    for path in (tmp_path / "none.pem", tmp_path / "empty.pem"):
        if path.name == "empty.pem":
            path.write_text("nothing here")
        with pytest.raises(SpineConfigurationError, match="not the certificate"):
            SpineTrust(ClientTls(anchors=str(path))).context()
    with pytest.raises(SpineConfigurationError, match="its key"):
        SpineTrust(ClientTls(anchors=files.certificate, certificate=files.certificate, key="/no/such")).context()
