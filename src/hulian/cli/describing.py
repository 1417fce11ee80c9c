"""``hulian demo``: the demo plant served, or described. It is imported when it runs, as every command is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from hulian.cli.demo import PlantFile, demo
from hulian.cli.local import ConfigFile, read_configuration

__all__ = ["app", "demo_describe"]


def demo_describe(
    directory: Annotated[Path, Parameter(help="where to; it is made where it is missing")],
    /,
    *,
    plant: PlantFile = None,
    config: ConfigFile = None,
) -> None:
    """Write the descriptions of the demo plant: AutomationML of the plant, InstrumentML of its gas chromatograph.

    They are made of the tables that its servers read, with the addresses and ports that its settings give. `hulian model
    import` takes them as it would those of any plant.

    Examples:

        hulian demo describe descriptions
        hulian model import descriptions/tennessee-eastman.aml --points
    """
    from hulian.cli.demo import DEVICE, plant_configuration
    from hulian.demo.describing import write

    for path in write(directory, plant_configuration(read_configuration(config), plant, user=DEVICE)):
        print(path)


app = App(name="demo", help=demo.__doc__)
app.default(demo)
app.command("hulian.cli.describing:demo_describe", name="describe")
