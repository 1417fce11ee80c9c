"""The settings of an OPC UA connector, and of one binding."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

__all__ = ["POLICIES", "BindingOptions", "OpcuaConfiguration"]

POLICIES: Final = ("Aes256Sha256RsaPss", "Aes128Sha256RsaOaep", "Basic256Sha256", "Basic256", "Basic128Rsa15")
"""Security policies from the strongest to the weakest; the last two are broken and used only when named."""

Seconds = Annotated[float, Meta(gt=0, le=86_400)]


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
    items_per_subscription: Annotated[
        int, Meta(ge=1, le=100_000, description="more points than this are split over several subscriptions")
    ] = 5000
    timeout: Annotated[Seconds, Meta(description="how long an answer may take")] = 10.0
    keep_alive: Annotated[
        Seconds, Meta(description="a server with nothing to say says so this often; three times nothing is a lost link")
    ] = 5.0
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
    writable: Annotated[
        tuple[str, ...], Meta(description="addresses that a command may write to; nothing else is ever written")
    ] = ()


class BindingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one binding may ask for itself; None takes the connector's setting."""

    sampling_interval: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    queue_size: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    deadband: Annotated[float, Meta(ge=0)] | None = None
    deadband_percent: Annotated[float, Meta(ge=0, le=100)] | None = None
    index_range: Annotated[str, Meta(pattern=r"^\d+(:\d+)?(,\d+(:\d+)?)*$")] | None = None
