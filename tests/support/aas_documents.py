"""Environments for tests: one with an element of every class, and an interface description of a pump."""

from __future__ import annotations

from typing import Any


def external(identity: str) -> dict[str, Any]:
    return {"type": "ExternalReference", "keys": [{"type": "GlobalReference", "value": identity}]}


def to(*keys: tuple[str, str]) -> dict[str, Any]:
    return {"type": "ModelReference", "keys": [{"type": kind, "value": value} for kind, value in keys]}


def named(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"modelType": kind, "idShort": name, **fields}


def prop(name: str, value: str | None = None, kind: str = "xs:string", **fields: Any) -> dict[str, Any]:
    return named("Property", name, valueType=kind, **({"value": value} if value is not None else {}), **fields)


def group(name: str, *below: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return named("SubmodelElementCollection", name, value=list(below), **fields)


SUBMODEL = "https://example.org/sm/everything"


def everything() -> dict[str, Any]:
    """Valid in 3.0 and 3.1."""
    text = [{"language": "en", "text": "pressure"}, {"language": "zh", "text": "压力"}]
    elements = [
        prop(
            "Pressure",
            "4.25",
            "xs:double",
            semanticId=external("0173-1#02-AAY812#001"),
            supplementalSemanticIds=[external("https://example.org/pressure")],
            displayName=text,
            description=text,
            category="VARIABLE",
            qualifiers=[{"kind": "ConceptQualifier", "type": "Accuracy", "valueType": "xs:double", "value": "0.5"}],
            extensions=[{"name": "vendor", "valueType": "xs:int", "value": "7", "refersTo": [to(("Submodel", SUBMODEL))]}],
        ),
        named("MultiLanguageProperty", "Maker", value=text, valueId=external("https://example.org/maker")),
        named("Range", "Temperature", valueType="xs:int", min="-20", max="90"),
        named("File", "Manual", contentType="application/pdf", value="/aasx/files/manual.pdf"),
        named("Blob", "Icon", contentType="image/png", value="iVBORw0="),
        named("ReferenceElement", "Seen", value=to(("Submodel", SUBMODEL), ("Property", "Pressure"))),
        named(
            "RelationshipElement",
            "Joined",
            first=to(("Submodel", SUBMODEL), ("Property", "Pressure")),
            second=to(("Submodel", SUBMODEL), ("SubmodelElementList", "Readings"), ("Property", "1")),
        ),
        named(
            "AnnotatedRelationshipElement",
            "Noted",
            first=to(("Submodel", SUBMODEL), ("Property", "Pressure")),
            second=to(("Submodel", SUBMODEL), ("Range", "Temperature")),
            annotations=[prop("Why", "they move together")],
        ),
        named(
            "Entity",
            "Impeller",
            entityType="SelfManagedEntity",
            globalAssetId="https://example.org/asset/impeller",
            statements=[prop("Blades", "6", "xs:unsignedByte"), named("Entity", "Nut", entityType="CoManagedEntity")],
        ),
        named(
            "Operation",
            "Start",
            inputVariables=[{"value": prop("Speed", kind="xs:double")}],
            outputVariables=[{"value": group("Answer", prop("Done", kind="xs:boolean"))}],
            inoutputVariables=[{"value": prop("Ramp", kind="xs:double")}],
        ),
        named("Capability", "Pumping"),
        named(
            "BasicEventElement",
            "Changed",
            observed=to(("Submodel", SUBMODEL), ("Property", "Pressure")),
            direction="output",
            state="on",
            messageTopic="pump/changed",
            minInterval="PT1S",
        ),
        named(
            "SubmodelElementList",
            "Readings",
            orderRelevant=True,
            typeValueListElement="Property",
            valueTypeListElement="xs:double",
            value=[{"modelType": "Property", "valueType": "xs:double", "value": value} for value in ("1.5", "2.5")],
        ),
        group("Deep", group("Deeper", prop("Text", "a < b & c\r\n\u00e4"))),
    ]
    return {
        "assetAdministrationShells": [
            {
                "modelType": "AssetAdministrationShell",
                "id": "https://example.org/aas/pump",
                "idShort": "Pump",
                "administration": {"version": "1", "revision": "2", "templateId": "https://example.org/template"},
                "derivedFrom": to(("AssetAdministrationShell", "https://example.org/aas/pump-type")),
                "assetInformation": {
                    "assetKind": "Instance",
                    "globalAssetId": "https://example.org/asset/pump",
                    "specificAssetIds": [
                        {"name": "serial", "value": "17", "semanticId": external("https://example.org/serial")}
                    ],
                    "assetType": "https://example.org/asset/pump-type",
                    "defaultThumbnail": {"path": "/aasx/files/pump.png", "contentType": "image/png"},
                },
                "submodels": [to(("Submodel", SUBMODEL))],
            }
        ],
        "submodels": [
            {
                "modelType": "Submodel",
                "id": SUBMODEL,
                "idShort": "Everything",
                "kind": "Instance",
                "semanticId": external("https://admin-shell.io/idta/nameplate/3/0/Nameplate"),
                "submodelElements": elements,
            }
        ],
        "conceptDescriptions": [
            {
                "modelType": "ConceptDescription",
                "id": "0173-1#02-AAY812#001",
                "idShort": "Pressure",
                "isCaseOf": [external("https://example.org/more")],
                "embeddedDataSpecifications": [
                    {
                        "dataSpecification": external(
                            "https://admin-shell.io/DataSpecificationTemplates/DataSpecificationIec61360/3"
                        ),
                        "dataSpecificationContent": {
                            "modelType": "DataSpecificationIec61360",
                            "preferredName": text,
                            "shortName": [{"language": "en", "text": "p"}],
                            "unit": "bar",
                            "unitId": external("0173-1#05-AAA689#003"),
                            "dataType": "REAL_MEASURE",
                            "definition": text,
                            "levelType": {"min": True, "nom": False, "typ": False, "max": True},
                        },
                    }
                ],
            }
        ],
    }


def _affordance(name: str, kind: str, *forms: dict[str, Any], **more: str) -> dict[str, Any]:
    return group(
        name,
        prop("type", kind),
        *(prop(key, value) for key, value in more.items()),
        group("forms", *forms),
        semanticId=external("https://admin-shell.io/idta/AssetInterfaceDescription/1/0/PropertyDefinition"),
        supplementalSemanticIds=[external(f"https://example.org/{name}")],
    )


def interfaces() -> dict[str, Any]:
    """One interface of each protocol."""

    def interface(name: str, base: str, mark: str, *properties: dict[str, Any], **endpoint: str) -> dict[str, Any]:
        return group(
            name,
            prop("title", name),
            group("EndpointMetadata", prop("base", base, "xs:anyURI"), *(prop(key, value) for key, value in endpoint.items())),
            group("InteractionMetadata", group("properties", *properties)),
            semanticId=external("https://admin-shell.io/idta/AssetInterfacesDescription/1/0/Interface"),
            supplementalSemanticIds=[external(mark)],
        )

    elements = [
        interface(
            "Registers",
            "modbus+tcp://192.0.2.7:1502",
            "http://www.w3.org/2011/modbus",
            _affordance(
                "pressure",
                "number",
                prop("href", "/3/11?quantity=2"),
                prop("modv_entity", "HoldingRegister"),
                prop("modv_type", "xsd:float"),
                prop("modv_mostSignificantWord", "false"),
                prop("modv_pollingTime", "500"),
                prop("modv_timeout", "1500"),
                unit="bar",
            ),
            _affordance(
                "running",
                "boolean",
                prop("href", "/3/0"),
                prop("modv_function", "readCoil"),
                prop("modv_zeroBasedAddressing", "true"),
            ),
        ),
        interface(
            "Topics",
            "mqtt://broker.example.org:1883",
            "http://www.w3.org/2011/mqtt",
            _affordance("flow", "number", prop("href", "/pump/flow"), prop("mqv_qos", "2"), unit="m3/h"),
            group(
                "state",
                prop("type", "object"),
                group("properties", group("speed", prop("type", "integer")), group("mode", prop("type", "string"))),
                group("forms", prop("href", "/pump/state")),
            ),
        ),
        interface(
            "Nodes",
            "opc.tcp://192.0.2.8:4840",
            "http://opcfoundation.org/UA",
            _affordance("level", "number", prop("href", "/?id=nsu=urn:pump;s=Level")),
        ),
        interface(
            "Pages",
            "https://192.0.2.9",
            "http://www.w3.org/2011/http",
            _affordance("voltage", "number", prop("href", "/sampleDevice/properties/voltage")),
        ),
    ]
    return {
        "submodels": [
            {
                "modelType": "Submodel",
                "id": "https://example.org/sm/aid",
                "idShort": "AssetInterfacesDescription",
                "semanticId": external("https://admin-shell.io/idta/AssetInterfacesDescription/1/0/Submodel"),
                "submodelElements": elements,
            }
        ]
    }
