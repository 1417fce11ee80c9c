/** What `/api/v1/identifiers` answers. */

export interface Data {
  format: string;
  value: unknown;
}

/** One value of a record, as the Handle System writes it in JSON. */
export interface Value {
  index: number;
  type: string;
  data: Data;
  ttl?: number | string;
  timestamp?: string;
  permissions?: string;
}

export interface Hop {
  node: "root" | "between" | "answer";
  asked: string;
  address: string;
  code: number;
  answer: string;
  error: string;
  ms: number;
}

export interface Refusal {
  code: string;
  message: string;
  place?: string;
  hint?: string;
}

export interface Resolved {
  text: string;
  scheme: string;
  normal: string;
  parts: Record<string, string>;
  handle: string;
  outcome: "found" | "nothing" | "failed";
  code: number;
  message: string;
  values: Value[];
  path: Hop[];
  ms: number;
  error: Refusal | null;
  point: string;
  thing: string;
}

export interface RecordItem {
  handle: string;
  types: string[];
  changed_ms: number;
}

export interface RecordPage {
  items: RecordItem[];
  next: string | null;
  total: number;
  more: boolean;
}

export interface RecordOf {
  handle: string;
  values: Value[];
  whole: boolean;
}

export interface Server {
  address: string;
  interfaces: string[];
  ok: boolean;
  ms: number | null;
  error: string;
  serial: number | null;
}

export interface Site {
  primary: boolean;
  serial: number;
  version: string;
  description: string;
  servers: Server[];
  own: boolean;
  changes: number | null;
  behind: number | null;
}

export interface Tier {
  prefix: string;
  own: boolean;
  sites: Site[];
  below: string[];
  error: Refusal | null;
}

export interface Nodes {
  own: {
    role: string;
    address: string;
    ok: boolean;
    ms: number | null;
    error: string;
    prefixes: { prefix: string; records: number; more: boolean }[];
  };
  tiers: Tier[];
}
