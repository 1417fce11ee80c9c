"""What the API knows of the identifier node beside it. It loads nothing of the protocol before somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hulian.assembly.configuration import Configuration
from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.nodes.configuration import Role
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.registry import Registry

if TYPE_CHECKING:
    from hulian.network.identifiers.statistics.kept import Kept
    from hulian.network.identifiers.store import Listing
    from hulian.network.identifiers.transport.rest.asker import RestAsker
    from hulian.network.identifiers.wire.authentication import KeyIdentity
    from hulian.network.identifiers.wire.authentication.signers import PrivateKey
    from hulian.network.identifiers.wire.values import Value

__all__ = ["node_for_people"]


def node_for_people(configuration: Configuration, registry: Registry) -> IdentifierNode | None:
    """Where the node is, its records, the root data and the key; None where there is no node.

    The key stays in its file, which is read for each change.
    """
    settings, own = configuration.identifiers, configuration.node.prefix
    if not settings.port:
        return None
    prefixes = tuple(settings.prefixes or (() if settings.role is Role.ROOT else (own,)))

    def root() -> tuple[Value, ...]:
        from hulian.assembly.identifier_files import root_data, root_file

        return root_data(root_file(configuration))

    def private() -> PrivateKey:
        from hulian.assembly.identifier_files import key_file
        from hulian.assembly.identifier_key import load_key
        from hulian.trust import private_files

        path = key_file(configuration)
        content = private_files.read(path)
        if content is None:
            raise ConfigurationError("there is no key yet", place=str(path), hint="the identifier node makes it when it starts")
        return load_key(content, path)

    def identity() -> KeyIdentity:
        from hulian.network.identifiers.nodes.beginning import node_key
        from hulian.network.identifiers.wire.authentication import KeyIdentity, signer_for

        who = node_key(prefixes[0] if prefixes else "0.NA")
        return KeyIdentity(who.handle, who.index, signer_for(private()))

    def office() -> RestAsker | None:
        from hulian.assembly.identifiers import local_rest

        return local_rest(configuration)

    def above() -> RestAsker | None:
        from hulian.network.identifiers.transport.rest.asker import RestAsker

        return RestAsker(settings.report_to, settings.report_authority) if settings.report_to else None

    def figures() -> Kept:
        from hulian.network.identifiers.statistics.kept import Kept

        return Kept(registry, source_days=settings.statistics_source_days)

    def seals() -> int:
        from hulian.network.identifiers.provisioning import history

        return history.verify(registry)

    def listing() -> Listing:
        from hulian.network.identifiers.store import Listing

        return Listing(registry)

    keeps = settings.role is not Role.RECURSIVE
    gives_out = settings.role in (Role.ROOT, Role.TOP_LEVEL, Role.SECOND_LEVEL)
    return IdentifierNode(
        role=settings.role.value,
        host=settings.host,
        port=settings.port,
        prefixes=prefixes,
        root=root,
        identity=identity,
        listing=listing if keeps else None,
        gs1_prefix=settings.rest_gs1_prefix,
        office=office,
        above=above,
        gives_out=gives_out and bool(settings.applications and settings.rest_port) and not settings.mirror_as,
        private=private,
        figures=figures if keeps else None,
        seals=seals if keeps else None,
    )
