"""The format: AASX, AAS XML and AAS JSON, of the metamodel's versions 3.0 and 3.1."""

from __future__ import annotations

import contextlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Final, Literal

import msgspec

from hulian.network.exchange.semantics.aas.bends import Bends
from hulian.network.exchange.semantics.aas.json_reading import open_json, read_json_environment, units_of_json, version_of
from hulian.network.exchange.semantics.aas.metamodel import VERSIONS
from hulian.network.exchange.semantics.aas.nodes import Builder
from hulian.network.exchange.semantics.aas.package import Package, files_of, package_of, read_package
from hulian.network.exchange.semantics.aas.packing import pack
from hulian.network.exchange.semantics.aas.writing import Environments
from hulian.network.exchange.semantics.aas.xml_reading import read_xml, root_of, units_of
from hulian.network.exchange.semantics.contract import Batch, Content, Document, Loss, Source
from hulian.network.exchange.semantics.documents import Container
from hulian.network.exchange.semantics.errors import DocumentError

__all__ = ["FORMS", "AasFormat", "Form", "spec_of", "written"]

Form = Literal["aasx", "xml", "json"]
FORMS: Final[Sequence[Form]] = ("aasx", "xml", "json")
_HEAD: Final = 64 << 10
_NEWEST: Final = "3.0"
"""Version that a document of another language is written in: more tools read it."""


class _Spec(msgspec.Struct):
    """One environment, seen from outside."""

    source: Source
    form: str
    version: str
    namespace: str = ""
    root: str = ""


_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError)


def _unpacked(error: Exception, name: str) -> DocumentError:
    return DocumentError(f"a member of the package is broken: {error}", place=name)


@contextlib.contextmanager
def _unpacking(name: str) -> Iterator[None]:
    """What zipfile raises for a broken package, as `DocumentError`."""
    try:
        yield
    except (*_BROKEN, ValueError) as error:
        raise _unpacked(error, name) from error


def _head(source: Source) -> bytes:
    with source.open() as opened:
        return opened.read(_HEAD)


def spec_of(source: Source) -> _Spec:
    """What kind of environment a document is. Raises `DocumentError`."""
    head = _head(source)
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first in (b"{", b"["):
        return _Spec(source, "json", version_of(source))
    version, namespace, root = root_of(head, source.name)
    return _Spec(source, "xml", version, namespace, root)


class AasFormat:
    """Asset Administration Shells. ``form`` and ``version`` are what is written; the document's own where they are None."""

    suffixes: Sequence[str] = (".aasx", ".xml", ".json")

    def __init__(self, name: str = "aas", form: Form | None = None, version: str | None = None) -> None:
        self.name, self._form, self._version = name, form, version

    def recognises(self, name: str, head: bytes) -> bool:
        """By suffix for packages, by namespace or by the lists of an environment for the others."""
        lower = name.lower()
        if lower.endswith(".aasx"):
            return head.startswith(b"PK")
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            head = head.decode("utf-16", "ignore").encode()
        if lower.endswith(".xml"):
            return b"admin-shell.io/aas/" in head
        return lower.endswith(".json") and any(
            name in head
            for name in (b'"assetAdministrationShells"', b'"submodels"', b'"conceptDescriptions"', b'"submodelElements"')
        )

    # ------------------------------------------------ reading

    def read(self, source: Source, name: str, losses: list[Loss]) -> tuple[Document, Iterable[Batch]]:
        """As `Format.read`; each bend that was accepted is among the losses."""
        bends = Bends(losses)
        if _head(source).startswith(b"PK"):
            return self._read_package(source, name, bends)
        spec = spec_of(source)
        self._tell_namespace(spec, bends)
        document = Document(name=name, format="aas", version=f"AAS {spec.version}", extra={"aas": {"form": spec.form}})
        return document, self._batches([spec], document, bends, None, None)

    def _read_package(self, source: Source, name: str, bends: Bends) -> tuple[Document, Iterable[Batch]]:
        container = Container(source)
        try:
            with _unpacking(source.name):
                package = read_package(container, bends)
                specs = [spec_of(container.source(part)) for part in package.specs]
        except BaseException:
            container.close()
            raise
        for spec in specs:
            self._tell_namespace(spec, bends)
        extra: dict[str, Any] = {
            "form": "aasx",
            "package": msgspec.to_builtins(package),
            "specs": [[spec.form, spec.version] for spec in specs],
        }
        document = Document(name=name, format="aas", version=f"AAS {specs[0].version}", extra={"aas": extra})
        return document, self._batches(specs, document, bends, container, package)

    def _tell_namespace(self, spec: _Spec, bends: Bends) -> None:
        if spec.form == "xml" and spec.namespace not in VERSIONS:
            bends.took("namespace", spec.source.name, spec.namespace)

    def _batches(
        self, specs: list[_Spec], document: Document, bends: Bends, container: Container | None, package: Package | None
    ) -> Iterator[Batch]:
        try:
            yield from self._pieces(specs, document, bends, container, package)
        except _BROKEN as error:
            raise _unpacked(error, specs[0].source.name if container is None else container.name) from error
        finally:
            if container is not None:
                container.close()

    def _pieces(
        self, specs: list[_Spec], document: Document, bends: Bends, container: Container | None, package: Package | None
    ) -> Iterator[Batch]:
        builder = Builder(document.name, bends, {})
        for part, spec in enumerate(specs):
            builder.part = part
            if spec.form == "xml":
                builder.units.update(units_of(spec.source, spec.namespace, spec.root, bends))
                yield from read_xml(spec.source, builder, bends, spec.namespace)
            else:
                environment = open_json(spec.source, bends)
                builder.units.update(units_of_json(environment, spec.source.name))
                yield from read_json_environment(spec.source, environment, builder, bends)
        if builder.carried is not None:
            document.extra["aas"]["carried"] = msgspec.to_builtins(builder.carried)
        if container is not None and package is not None:
            files = files_of(container, package)
            while True:
                with _unpacking(container.name):
                    attachment = next(files, None)
                if attachment is None:
                    break
                yield Batch(attachments=[attachment])
        bends.finish()

    # ------------------------------------------------ writing

    def write(self, content: Content, out: BinaryIO) -> list[Loss]:
        """As `Format.write`: a package, XML or JSON."""
        losses: list[Loss] = []
        own = content.document.extra.get("aas", {})
        form: Form = self._form or own.get("form", "aasx")
        read = content.document.version.removeprefix("AAS ")
        version = self._version or (read if read in VERSIONS.values() else _NEWEST)
        if form == "aasx":
            package = package_of(own)
            specs = (
                [(kind, self._version or of) for kind, of in own.get("specs", [("xml", version)])]
                if package
                else [("xml", version)]
            )
            with Environments(content, specs, losses) as environments:
                environments.collect()
                pack(content, package, environments, specs, out, losses)
            return losses
        with Environments(content, [(form, version)], losses) as environments:
            environments.collect()
            environments.write(0, out)
        losses.extend(
            Loss(one.path, one.path, f"{form} has no place for files; a package has") for one in content.attachments()
        )
        return losses


def written(content: Content, form: Form | None = None, version: str | None = None) -> bytes:
    """What `AasFormat.write` writes, as bytes."""
    out = io.BytesIO()
    AasFormat(form=form, version=version).write(content, out)
    return out.getvalue()
