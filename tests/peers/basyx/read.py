"""Reads packages and documents with basyx-python-sdk, strictly, and prints what it found, a line of JSON for each file.

Run by the interpreter of this folder's environment: it knows nothing of Hulian.
"""

import json
import sys
from pathlib import Path

from basyx.aas import model
from basyx.aas.adapter import aasx
from basyx.aas.adapter.json import read_aas_json_file
from basyx.aas.adapter.xml import read_aas_xml_file


def elements(of):
    for one in of:
        yield one
        for below in ("value", "statement", "annotation"):
            found = getattr(one, below, None)
            if isinstance(found, model.NamespaceSet):
                yield from elements(found)
        for below in ("input_variable", "output_variable", "in_output_variable"):
            yield from elements(getattr(one, below, ()))


def read(path):
    files = {}
    if path.endswith(".aasx"):
        store, supplementary = model.DictObjectStore(), aasx.DictSupplementaryFileContainer()
        with aasx.AASXReader(path, failsafe=False) as reader:
            reader.read_into(object_store=store, file_store=supplementary)
        for name in supplementary:
            files[name] = supplementary.get_sha256(name).hex()
    elif path.endswith(".xml"):
        with Path(path).open("rb") as opened:
            store = read_aas_xml_file(opened, failsafe=False)
    else:
        with Path(path).open(encoding="utf-8") as opened:
            store = read_aas_json_file(opened, failsafe=False)
    things = list(store)
    submodels = [one for one in things if isinstance(one, model.Submodel)]
    return {
        "shells": sorted(one.id for one in things if isinstance(one, model.AssetAdministrationShell)),
        "submodels": sorted(one.id for one in submodels),
        "concepts": sorted(one.id for one in things if isinstance(one, model.ConceptDescription)),
        "elements": sum(1 for submodel in submodels for _ in elements(submodel.submodel_element)),
        "files": files,
    }


for argument in sys.argv[1:]:
    try:
        print(json.dumps(read(argument)))
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
