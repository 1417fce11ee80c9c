/** What the routes of dictionaries speak. */
import type { Point } from "../lib/types";

export interface Release {
  release: number;
  label: string;
  taken_ms: number;
  by: string;
  added: number;
  changed: number;
  removed: number;
  total: number;
}

export interface Shelved {
  name: string;
  title: string;
  publisher: string;
  licence: string;
  format: string;
  release: number;
  label: string;
  total: number;
  /** False for the one that comes with Hulian. */
  own: boolean;
  releases: Release[];
}

export interface Brief {
  concept: string;
  kind: string;
  name: string;
  definition: string;
  unit: string;
  value: string;
  dictionary: string;
  deprecated: boolean;
  score: number;
  via: string;
}

export interface BriefPage {
  items: Brief[];
  next: string | null;
}

export interface TreeItem {
  concept: string;
  kind: string;
  name: string;
  below: number;
}

export interface Unit {
  /** What is read as this unit and no other. */
  write: string;
  title: string;
  name: string;
  symbol: string;
  unece: string[];
  ucum: string[];
  irdi: string[];
  dimension: string | null;
  convertible: boolean;
}

export interface Conversion {
  value: number;
  result: number;
  source: Unit;
  target: Unit;
}

export type Relations = Record<
  | "above"
  | "below"
  | "properties"
  | "classes"
  | "values"
  | "value_list"
  | "value_lists"
  | "quantity"
  | "quantity_of"
  | "replaced_by"
  | "replaces",
  Brief[]
>;

export interface Entry {
  concept: string;
  key: string;
  version: string;
  kind: string;
  dictionary: string;
  since: number;
  names: Record<string, string>;
  short_names: Record<string, string>;
  synonyms: Record<string, string[]>;
  definitions: Record<string, string>;
  notes: Record<string, string>;
  datatype: string;
  format: string;
  unit: string;
  unit_known: Unit | null;
  units: string[];
  symbol: string;
  value: string;
  source: string;
  deprecated: boolean;
  /** Other spellings of its identifier. */
  others: string[];
  relations: Relations;
  nodes: { id: string; path: string; kind: string; document: string; unit: string; point: string }[];
  nodes_total: number;
  /** Points and tags of which it was confirmed. */
  confirmed: string[];
}

export interface Difference {
  older: number;
  newer: number;
  added: Brief[];
  removed: Brief[];
  changed: { concept: string; name: string; fields: Record<string, [unknown, unknown]> }[];
  added_total: number;
  removed_total: number;
  changed_total: number;
}

export type Aspect = "quantity" | "role" | "property";

export interface Suggestion {
  concept: string;
  name: string;
  aspect: Aspect;
  /** Between 0 and 1. */
  score: number;
  reasons: string[];
  confirmed: boolean;
}

export interface Said {
  aspect: Aspect | "none";
  concept: string;
  name: string;
  by: string;
  moment_ms: number;
}

export interface Suggested {
  point: Point;
  suggestions: Suggestion[];
  said: Said[];
  /** What documents say that it means. */
  known: string[];
}

export interface SuggestionPage {
  items: Suggested[];
  next: string | null;
  total: number;
  matched: number;
}

/** What is said of a point; without a concept none of those that are known. */
export interface Confirm {
  point: string;
  concept?: string | null;
  retract?: boolean;
}

export interface Confirmed {
  point: string;
  said: Said[];
  before: Said[];
  nodes: string[];
}
