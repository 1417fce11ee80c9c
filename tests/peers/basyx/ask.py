"""Works with an AAS server as basyx-client does, and prints what it saw as JSON: address and token are the arguments.

Run by the interpreter of this folder's environment: it knows nothing of Hulian.
"""

import json
import sys

from basyx.aas import model
from basyx_client import AASClient
from basyx_client.auth import BearerAuth
from basyx_client.exceptions import AASClientError

SUBMODEL = "https://example.org/sm/by-a-client"
SHELL = "https://example.org/aas/by-a-client"
seen = {}


def refused(call, *arguments):
    try:
        call(*arguments)
    except AASClientError as error:
        return type(error).__name__
    return None


with AASClient(sys.argv[1], auth=BearerAuth(sys.argv[2])) as client:
    seen["shells"] = [one.id for one in client.shells.list(limit=10)]
    seen["submodels"] = [one.id for one in client.submodels.list(limit=10)]
    seen["concepts"] = [one.id for one in client.concept_descriptions.list(limit=10)]
    level = model.Property("Level", model.datatypes.Double, 1.5)
    client.submodels.create(model.Submodel(SUBMODEL, {level}, id_short="Tank"))
    reference = model.ModelReference.from_referable(model.Submodel(SUBMODEL))
    asset = model.AssetInformation(global_asset_id="https://example.org/asset/tank")
    client.shells.create(model.AssetAdministrationShell(asset, SHELL, id_short="TankShell", submodel={reference}))
    client.submodels.elements.set_value(SUBMODEL, "Level", 2.5)
    seen["value"] = client.submodels.elements.get_value(SUBMODEL, "Level")
    client.submodels.elements.create_root(SUBMODEL, model.Property("Unit", model.datatypes.String, "m"))
    seen["element"] = client.submodels.elements.get(SUBMODEL, "Unit").value
    seen["whole"] = sorted(one.id_short for one in client.submodels.get(SUBMODEL).submodel_element)
    seen["references"] = [one["keys"][0]["value"] for one in client.shells.list_submodel_refs(SHELL)]
    seen["asset"] = client.shells.get_asset_info(SHELL)["globalAssetId"]
    seen["descriptor"] = client.aas_registry.get(SHELL)["submodelDescriptors"][0]["id"]
    seen["found"] = list(
        client.discovery.get_aas_ids_by_asset([{"name": "globalAssetId", "value": "https://example.org/asset/tank"}])
    )
    seen["again"] = refused(client.submodels.create, model.Submodel(SUBMODEL))
    client.submodels.elements.delete(SUBMODEL, "Unit")
    seen["missing"] = refused(client.submodels.elements.get, SUBMODEL, "Unit")
    client.shells.delete(SHELL)
    client.submodels.delete(SUBMODEL)
    seen["gone"] = refused(client.shells.get, SHELL)
with AASClient(sys.argv[1], auth=BearerAuth("hlt_wrong")) as client:
    seen["stranger"] = refused(client.shells.get, SHELL)
print(json.dumps(seen))
