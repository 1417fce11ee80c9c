export interface Version {
  key: number;
  name: string;
  format: string;
  form: string;
  title: string;
  file: string;
  size: number;
  digest: string;
  nodes: number;
  references: number;
  lost: number;
  noticed: number;
  who: string;
  made_ms: number;
  current: boolean;
  waiting: boolean;
}

export interface Shelf {
  documents: Version[];
  waiting: Version[];
}

export interface Field {
  field: string;
  old: string | null;
  new: string | null;
}

export type What = "added" | "removed" | "changed";

export interface Change {
  what: What;
  node: string;
  name: string;
  fields: Field[];
}

export interface Differences {
  added: number;
  removed: number;
  changed: number;
  same: number;
  references_added: number;
  references_removed: number;
  fields: Record<string, number>;
  first: Change[];
  more: boolean;
}

export interface Loss {
  place: string;
  what: string;
  why: string;
}

export interface Losses {
  lost: number;
  noticed: number;
  groups: { why: string; lost: boolean; count: number; first: Loss[] }[];
  bytes: number | null;
}

export interface FindingGroup {
  severity: "error" | "warning";
  rule: string;
  count: number;
  first: { node: string; message: string }[];
}

export interface Preview {
  version: Version;
  replaces: number;
  unchanged: boolean;
  namespaces: string[];
  requires: { namespace: string; document: string }[];
  differences: Differences;
  losses: Losses;
  errors: number;
  warnings: number;
  findings: FindingGroup[];
  notes_left: number;
  notes: { node: string; field: string; value: string; who: string }[];
}

export interface Upload {
  id: string;
  file: string;
  size: number;
  format: string;
  form: string;
  name: string;
  title: string;
  namespaces: string[];
  requires: string[];
}

export interface Step {
  upload: string;
  file: string;
  name: string;
  format: string;
  files: string[];
  requires: { what: string; document: string; upload: string }[];
  missing: string[];
}

export interface Plan {
  steps: Step[];
  circle: string[];
}

/** What a document can be written as, and how a person knows it. */
export const forms: readonly [string, string][] = [
  ["aml", "AutomationML"],
  ["nodeset", "OPC UA NodeSet2"],
  ["aasx", "AASX"],
  ["aas-xml", "AAS XML"],
  ["aas-json", "AAS JSON"],
  ["td", "WoT Thing Description"],
  ["iml", "InstrumentML"],
  ["hulian", "Hulian"],
];

/** The name of a format; of one that is not known, as it is. */
export const formName = (format: string): string =>
  format === "aas" ? "AAS" : (forms.find(([name]) => name === format)?.[1] ?? format);

const proposing = ["aml", "aas", "aasx", "aas-xml", "aas-json", "td", "iml"];

/** Where a document goes on to connections and points; empty for formats that name no live values. */
export const liveUrl = (one: Pick<Version, "name" | "format">): string =>
  proposing.includes(one.format) ? `/model/points?document=${encodeURIComponent(one.name)}` : "";
