"""The settings of an OPC UA connector, and of one binding."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

__all__ = ["POLICIES", "BindingOptions", "Events", "Group", "OpcuaConfiguration"]

POLICIES: Final = ("Aes256Sha256RsaPss", "Aes128Sha256RsaOaep", "Basic256Sha256", "Basic256", "Basic128Rsa15")
"""Security policies from the strongest to the weakest; the last two are broken and used only when named."""

Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one group of points is read; None takes the connector's setting. A group has subscriptions of its own."""

    publishing_interval: Seconds | None = None
    sampling_interval: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    queue_size: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    discard: Literal["oldest", "newest"] = "oldest"
    deadband: Annotated[float, Meta(ge=0)] | None = None
    deadband_percent: Annotated[float, Meta(ge=0, le=100)] | None = None
    priority: Annotated[int, Meta(ge=0, le=255)] = 0


class Events(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events and alarms of the server become events here."""

    enabled: Annotated[bool, Meta(description="listen to the server's events and alarms")] = False
    notifiers: Annotated[
        tuple[str, ...], Meta(description="node ids of what is listened to; the server itself hears everything below it")
    ] = ("i=2253",)
    minimum_severity: Annotated[
        int, Meta(ge=1, le=1000, description="events below this severity of OPC UA (1 to 1000) are left out")
    ] = 1
    sources: Annotated[
        tuple[str, ...], Meta(description="names of the sources that count, '*' for any part of one; empty: all")
    ] = ()
    per_minute: Annotated[int, Meta(ge=1, le=100_000, description="more events than this a minute are counted, not told")] = 600
    queue_size: Annotated[int, Meta(ge=1, le=100_000, description="events that the server keeps between two sendings")] = 1000


class OpcuaConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach an OPC UA server and how to read from it; all times are in seconds."""

    security: Annotated[
        Literal["best", "sign", "none"],
        Meta(description="'best': the best encrypted endpoint; 'sign': signed is enough; 'none': accept an unencrypted one"),
    ] = "best"
    policy: Annotated[
        Literal["", "Aes256Sha256RsaPss", "Aes128Sha256RsaOaep", "Basic256Sha256", "Basic256", "Basic128Rsa15"],
        Meta(description="exactly this security policy; empty: the strongest that the server offers, never a broken one"),
    ] = ""
    user_certificate: Annotated[
        str,
        Meta(
            max_length=65_536,
            description="certificate (PEM, its text) that logs us in instead of a password; its key is among the credentials",
        ),
    ] = ""
    plain_password: Annotated[bool, Meta(description="send the password readable where the server offers nothing better")] = (
        False
    )
    application_uri: Annotated[
        str, Meta(description="our application's name; empty: one of this installation, shared by its connectors")
    ] = ""
    follow_server_url: Annotated[
        bool, Meta(description="connect to the host name that the server announces instead of the one configured here")
    ] = False
    servers: Annotated[
        tuple[str, ...], Meta(description="addresses of the other servers of a redundant set, which take over from this one")
    ] = ()
    mode: Annotated[
        Literal["auto", "subscribe", "poll"],
        Meta(description="'auto': subscribe, and poll a server that has no subscriptions"),
    ] = "auto"
    publishing_interval: Annotated[Seconds, Meta(description="how often the server sends what has changed")] = 0.1
    sampling_interval: Annotated[
        float, Meta(ge=0, le=86_400, description="how often the server looks at a value; 0: as fast as it can")
    ] = 0.05
    poll_interval: Annotated[Seconds, Meta(description="how often values are read where they are polled")] = 1.0
    queue_size: Annotated[
        int,
        Meta(ge=0, le=100_000, description="samples that the server keeps for a point between two sendings; 0: enough for 5 s"),
    ] = 0
    deadband: Annotated[
        float, Meta(ge=0, description="smallest change that counts, in the value's own unit; 0: every change")
    ] = 0.0
    groups: Annotated[
        dict[str, Group],
        Meta(description="named groups of points with settings of their own; a point's option 'group' names one"),
    ] = {}
    items_per_subscription: Annotated[
        int, Meta(ge=1, le=100_000, description="more points than this are split over several subscriptions")
    ] = 5000
    timeout: Annotated[Seconds, Meta(description="how long an answer may take")] = 10.0
    keep_alive: Annotated[
        Seconds, Meta(description="a server with nothing to say says so this often; three times nothing is a lost link")
    ] = 5.0
    timestamp: Annotated[
        Literal["source", "server"],
        Meta(description="whose time a sample carries where both say one; the other is compared with it, not kept"),
    ] = "source"
    history: Annotated[
        Literal["auto", "off"],
        Meta(description="'auto': what was missed while the link was lost is read from the server's history, where it has one"),
    ] = "auto"
    history_chunk: Annotated[
        int, Meta(ge=1, le=100_000, description="samples of a point that one answer of the server's history may hold")
    ] = 1000
    history_rate: Annotated[
        int, Meta(ge=1, description="samples a second that history may bring, so that live values go first")
    ] = 20_000
    history_longest: Annotated[Seconds, Meta(description="the longest gap that is filled; of a longer one, its end")] = 86_400.0
    bad_after: Annotated[
        float,
        Meta(ge=0, le=86_400, description="how long values are only uncertain after the link is lost"),
    ] = 10.0
    retry_first: Annotated[Seconds, Meta(description="the first pause before a new attempt; it doubles from there")] = 0.5
    retry_longest: Annotated[Seconds, Meta(description="the longest pause between attempts")] = 30.0
    recheck: Annotated[
        Seconds, Meta(description="how often points that the server refused, and silent ones, are looked at again")
    ] = 30.0
    clock_tolerance: Annotated[Seconds, Meta(description="a server whose clock is further away than this is reported")] = 30.0
    maximum_message: Annotated[
        int, Meta(ge=65_536, le=1 << 30, description="largest message taken from the server, in bytes")
    ] = 64 * 1024 * 1024
    follow_model: Annotated[
        bool, Meta(description="look at once where points have gone when the server says that its nodes have changed")
    ] = True
    events: Events = Events()
    writable: Annotated[
        tuple[str, ...], Meta(description="addresses that a command may write to; nothing else is ever written")
    ] = ()


class BindingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one binding may ask for itself; None takes its group's setting, else the connector's."""

    group: str = ""
    object: str = ""
    """The object whose method the address is: a write calls it with a list of arguments."""

    low: float | None = None
    high: float | None = None
    """The limits of what may be written; where neither is given, the EURange of the node."""

    sampling_interval: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    queue_size: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    discard: Literal["oldest", "newest"] | None = None
    deadband: Annotated[float, Meta(ge=0)] | None = None
    deadband_percent: Annotated[float, Meta(ge=0, le=100)] | None = None
    index_range: Annotated[str, Meta(pattern=r"^\d+(:\d+)?(,\d+(:\d+)?)*$")] | None = None
