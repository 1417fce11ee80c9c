/** What the calls under `/model` answer. */
export interface ModelDocument {
  name: string;
  key: number;
  format: string;
  version: string;
  title: string;
  file: string;
  size: number;
  nodes: number;
  references: number;
  who: string;
  made_ms: number;
  namespaces: string[];
  requires: string[];
  losses: number;
  findings: number;
}

export interface NodeItem {
  id: string;
  name: string;
  kind: string;
  document: string;
  type: string;
  unit: string;
  value: string | null;
  datatype: string;
  point: string;
  identifier: string;
  label: string;
  labels: Record<string, string>;
  children: boolean;
}

export interface NodePage {
  items: NodeItem[];
  next: string | null;
}

export interface SearchPage {
  items: { node: NodeItem; path: string[] }[];
  total: number;
}

export interface Link {
  relation: string;
  id: string;
  node: NodeItem | null;
}

export interface LinkPage {
  items: Link[];
  next: string | null;
  names: Record<string, string>;
}

export interface Live {
  point: string;
  series: string;
  unit: string;
  point_unit: string;
  factor: number;
  offset: number;
  refused: string;
  time_ms: number | null;
  value: string | null;
  number: number | null;
  status: number | null;
}

export interface ConceptWords {
  concept: string;
  noted: boolean;
  names: Record<string, string>;
  definitions: Record<string, string>;
  dictionary: string;
}

export type Field = "point" | "identifier" | "meaning" | "unit" | "label";

export interface Note {
  field: Field;
  value: string;
  who: string;
  made_ms: number;
}

export interface NodeWhole {
  node: NodeItem;
  descriptions: Record<string, string>;
  value: string | null;
  value_cut: boolean;
  writable: boolean | null;
  constraints: {
    low: string | null;
    high: string | null;
    choices: [string, string][];
    pattern: string;
    required: boolean;
    many: boolean;
  } | null;
  unit: { text: string; symbol: string; title: string } | null;
  meanings: ConceptWords[];
  notes: Note[];
  path: NodeItem[];
  types: Link[];
  refers: LinkPage;
  referred: LinkPage;
  losses: { place: string; what: string; why: string; lost: boolean }[];
  extra: Record<string, unknown>;
  extra_cut: boolean;
  names: Record<string, string>;
  live: Live | null;
}

export interface Edge {
  source: string;
  relation: string;
  target: string;
}

export interface Graph {
  nodes: NodeItem[];
  edges: Edge[];
  absent: string[];
  more: string[];
  names: Record<string, string>;
}

export interface FoundNode {
  node: NodeItem;
  path: string;
  meanings: string[];
  factor: number | null;
  offset: number | null;
  live: Live | null;
}

export interface FindPage {
  items: FoundNode[];
  total: number;
  unit: string;
  next: string | null;
}

export interface SparqlAnswer {
  names: string[];
  rows: (string | null)[][];
  more: boolean;
}
