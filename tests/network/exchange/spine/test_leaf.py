"""The spine of an edge node as a leaf of the centre's: two real servers, certificates on both sides, accounts from trust."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta

import bcrypt
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from free_ports import free_port
from nats_node import ORGANISATION, NatsNode

from hulian.assembly.accounts import convert
from hulian.network.exchange.spine import server, streams
from hulian.network.exchange.spine.configuration import Tls
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.errors import SpineConfigurationError, SpineUnavailableError
from hulian.network.exchange.spine.publisher import Publisher
from hulian.trust import CertificateAuthority
from hulian.trust.certificates import NODE_LIFETIME
from hulian.trust.spine_accounts import SpineAccounts, SpineUser, edge_account, inbox_prefix

pytestmark = pytest.mark.anyio
PASSWORD = "made by the node itself"
SUBJECTS = streams.Subjects(ORGANISATION)
ACCOUNT = edge_account("press")


def edge_user(*sources: str) -> SpineUser:
    root = SUBJECTS.root
    return SpineUser(
        name=ACCOUNT,
        password_hash=bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
        publish=(*(SUBJECTS.samples(source) for source in sources), f"{root}.events.*.edge", f"{inbox_prefix('api')}.>"),
        subscribe=(f"{root}.control.edge.press", f"{inbox_prefix(ACCOUNT)}.>"),
        leaf=True,
    )


class Site:
    """A centre, and an edge node whose keys the centre's authority has signed."""

    def __init__(self, directory):
        self.directory = directory
        self.authority = CertificateAuthority(directory / "authority", ORGANISATION)
        made = self.authority.server_certificate(["127.0.0.1"], "leaf")
        tls = Tls(certificate=str(made.certificate), key=str(made.key), authority=str(self.authority.root_file()))
        self.port = free_port()
        self.centre = NatsNode(directory, leaf_port=self.port, leaf_tls=tls)
        self.centre.users.append(convert(edge_user("tank")))
        self.accounts = SpineAccounts(directory / "edge-secrets", ORGANISATION)
        self.edge = NatsNode(directory / "edge", mqtt_port=0)
        self.tls = self.certificate()

    def certificate(self):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ACCOUNT)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        pem, _ = self.authority.client_certificate(request.public_bytes(serialization.Encoding.PEM).decode(), ACCOUNT)
        (self.directory / "node.pem").write_text(pem)
        (self.directory / "node.key").write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return Tls(
            certificate=str(self.directory / "node.pem"),
            key=str(self.directory / "node.key"),
            authority=str(self.authority.root_file()),
        )

    async def start_edge(self, tls=None, password=PASSWORD):
        remote = server.LeafRemote(
            urls=[f"127.0.0.1:{self.port}"], user=ACCOUNT, password=password, tls=tls or self.tls, domain="edge-press"
        )
        users = [convert(user) for user in self.accounts.edge_node_users("press")]
        argv = server.prepare(self.edge.configuration, users, self.edge.directory, remote=remote)
        with (self.edge.directory / "log").open("ab") as log:
            self.edge.process = subprocess.Popen(argv, stdout=log, stderr=log)
        await server.wait_ready(self.edge.url, "supervisor", self.accounts.password("supervisor"))

    async def at_edge(self):
        return await Spine.connect(self.edge.url, ACCOUNT, self.accounts.password("edge"), "edge")

    async def readmit(self, *edges: SpineUser):
        users = [user for user in self.centre.users if not user.leaf] + [convert(edge) for edge in edges]
        server.admit(self.centre.configuration, users, self.centre.directory)
        await asyncio.sleep(0.2)
        await server.cut_leaves(self.centre.url, "monitor", self.centre.password("monitor"))


@pytest.fixture
async def site(tmp_path):
    made = Site(tmp_path)
    await made.centre.open()
    yield made
    made.edge.stop()
    made.centre.stop()


async def stored(publisher, source, number, seconds=10.0):
    """Whether a message for ``source`` gets into the centre's stream within ``seconds``."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        done = asyncio.get_running_loop().create_future()
        publisher.post(SUBJECTS.samples(source), b"x", f"{source}-{number}", lambda result, done=done: done.set_result(result))
        result = await done
        if not isinstance(result, Exception):
            return result.stream == streams.SAMPLES
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.1)


async def test_samples_reach_the_centres_stream_and_are_acknowledged(site):
    await site.start_edge()
    async with await site.at_edge() as spine, Publisher(spine, timeout=1) as publisher:
        assert await stored(publisher, "tank", 1)
        site.centre.kill()
        assert not await stored(publisher, "tank", 2, seconds=1)
        await site.centre.start()
        assert await stored(publisher, "tank", 3, seconds=20)


async def test_it_speaks_for_no_other_source_and_reaches_no_interface_of_the_centre(site):
    await site.start_edge()
    async with await site.at_edge() as spine, Publisher(spine, timeout=1) as publisher:
        assert await stored(publisher, "tank", 1)
        assert not await stored(publisher, "line-7", 1, seconds=2)
        answer = msgspec.json.decode((await spine.request("$JS.API.INFO", timeout=5)).payload)
        assert answer["streams"] == 0, "the node sees the centre's streams in place of its own"
        with pytest.raises(SpineUnavailableError):
            await spine.request(f"{SUBJECTS.root}.query.historian", b"{}", timeout=1)
    assert (await figures(site)).messages == 1


async def figures(site):
    async with await site.centre.connect("supervisor") as spine:
        return await streams.state(spine, streams.SAMPLES)


async def test_the_centre_asks_and_the_node_answers(site):
    await site.start_edge()
    async with await site.at_edge() as spine, await site.centre.connect("api") as api, Publisher(spine, timeout=1) as publisher:

        async def serve():
            async for message in spine.messages(f"{SUBJECTS.root}.control.edge.press"):
                await spine.publish(message.reply, b"here")

        serving = asyncio.create_task(serve())
        assert await stored(publisher, "tank", 1)
        assert (await api.request(f"{SUBJECTS.root}.control.edge.press", b"there?", timeout=5)).payload == b"here"
        serving.cancel()


async def test_revocation_cuts_it_off_within_seconds(site):
    await site.start_edge()
    async with await site.at_edge() as spine, Publisher(spine, timeout=1) as publisher:
        assert await stored(publisher, "tank", 1)
        await site.readmit()
        assert not await stored(publisher, "tank", 2, seconds=3)
        await site.readmit(edge_user("tank", "mixer"))
        assert await stored(publisher, "mixer", 1, seconds=20)


@pytest.mark.parametrize("wrong", ["password", "certificate"])
async def test_nobody_else_gets_in(site, wrong, tmp_path):
    stranger = None
    if wrong == "certificate":
        foreign = Site(tmp_path / "elsewhere")
        stranger = msgspec.structs.replace(foreign.tls, authority=site.tls.authority)
    await site.start_edge(tls=stranger, password="guessed" if wrong == "password" else PASSWORD)
    async with await site.at_edge() as spine, Publisher(spine, timeout=1) as publisher:
        assert not await stored(publisher, "tank", 1, seconds=4)
    assert (await figures(site)).messages == 0


async def test_a_listener_without_certificates_is_refused(tmp_path):
    with pytest.raises(SpineConfigurationError, match="TLS"):
        await NatsNode(tmp_path, leaf_port=free_port()).start()


async def test_a_renewed_certificate_of_the_node_is_used_with_the_next_connection(site):
    """What a renewal relies on: the server of the node reads its certificate anew when it is asked to, without a restart."""
    begun = datetime.now(UTC) - NODE_LIFETIME + timedelta(seconds=6)
    site.authority = CertificateAuthority(site.directory / "authority", ORGANISATION, clock=lambda: begun)
    short = site.certificate()
    await site.start_edge(tls=short)
    async with await site.at_edge() as spine, Publisher(spine, timeout=1) as publisher:
        assert await stored(publisher, "tank", 1)
        ended = x509.load_pem_x509_certificate((site.directory / "node.pem").read_bytes()).not_valid_after_utc
        site.authority = CertificateAuthority(site.directory / "authority", ORGANISATION)
        site.certificate()
        server.reload(site.edge.directory)
        while datetime.now(UTC) <= ended + timedelta(seconds=1):
            await asyncio.sleep(0.2)
        await server.cut_leaves(site.centre.url, "monitor", site.centre.password("monitor"))
        assert await stored(publisher, "tank", 2)
        assert site.edge.process.poll() is None
