export interface ChangedField {
  field: string;
  old: unknown;
  new: unknown;
}

export type Change = "added" | "changed" | "same" | "left";

export interface DescribedConnector {
  name: string;
  /** Its name in the description: choices are told by it. */
  described: string;
  protocol: string;
  url: string;
  change: Change;
  points: number;
  /** Those of the description, whatever is chosen. */
  settings: Record<string, unknown>;
  fields: ChangedField[];
  kept: ChangedField[];
  missing: string[];
}

export interface DescribedPoint {
  name: string;
  node: string;
  connector: string;
  address: string;
  change: Change;
  fields: ChangedField[];
  /** What a person set, and so stays. */
  kept: ChangedField[];
  missing: string[];
  removed: boolean;
}

/** What would happen; `points` are the first of `total`, counts are of all. */
export interface Proposal {
  document: string;
  version: number;
  taken: number | null;
  digest: string;
  connectors: DescribedConnector[];
  points: DescribedPoint[];
  total: number;
  added: number;
  changed: number;
  same: number;
  left: number;
  kept: number;
  bound: number;
  gone: string[];
  missing: { place: string; what: string }[];
}

export interface Applied {
  document: string;
  version: number;
  points: Record<string, number>;
  connectors_added: string[];
  connectors_changed: string[];
  bound: number;
  kept: number;
  left: number;
}
