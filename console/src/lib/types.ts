/** What the HTTP API speaks; times may arrive as ms, ns or RFC 3339 and go through `milliseconds`. */
export type Scalar = number | string | boolean | null;
export type Moment = number | string | null;

export interface Session {
  user: string;
  role: string;
  scopes: string[];
  csrf: string;
  must_change_password: boolean;
  organisation?: string;
  version?: string;
}

export interface LastValue {
  name?: string;
  series?: string;
  time_ms: number;
  value: Scalar;
  number: number | null;
  status: number;
}

export interface Point {
  name: string;
  series: string;
  storage?: string;
  kind?: "continuous" | "step";
  tag?: string;
  path?: string;
  unit?: string;
  low?: number | null;
  high?: number | null;
  raw_low?: number | null;
  raw_high?: number | null;
  texts?: Record<string, string>;
  /** What a value means: value, language, text. */
  enumeration?: Record<string, Record<string, string>>;
  connector?: string;
  address?: string;
  writable?: boolean;
  enabled?: boolean;
  options?: Record<string, unknown>;
  last?: LastValue | null;
}

export interface Tree {
  branches: { name: string; path: string; things: number; points: number }[];
  things: { identifier: string; label: string; points: number }[];
}

export interface ConnectorStatus {
  state: string;
  error_code?: string;
  error?: string;
  hint?: string;
  since?: Moment;
  retry_at?: Moment;
  last_sample?: Moment;
  points?: number;
  bad_points?: number;
  samples?: number;
  counters?: Record<string, number>;
  /** The buffer on disk: what was read and waits for the spine. */
  journal?: { sequence: number; acknowledged: number; bytes: number; bound: number; policy: string; dropped: number };
}

export interface Connector {
  name: string;
  protocol: string;
  url: string;
  enabled: boolean;
  /** The edge node that it runs on; empty: the platform itself. */
  edge: string;
  version: number;
  points: number;
  settings?: Record<string, unknown>;
  credentials?: { user?: string; [key: string]: unknown } | null;
  status?: ConnectorStatus | null;
}

/** What an edge node says of itself: the order that it runs, and the one that it took back. */
export interface EdgeStatus {
  version: number;
  on_trial: boolean;
  refused: number;
  reason: string;
  connectors: number;
}

export interface EdgeNode {
  name: string;
  state: "waiting" | "approved" | "revoked";
  fingerprint: string;
  /** The address that it asked from. */
  source: string;
  connectors: string[];
  created_ms: number;
  decided_by: string;
  /** Its certificate's end; 0: it has none yet. */
  expires_ms: number;
  /** The newest order for it; 0: none yet. */
  ordered: number;
  /** When it was heard of last; null: not since the platform started. */
  heard_ms: number | null;
  /** Null while it is silent. */
  status: EdgeStatus | null;
}

export interface EdgeNodes {
  items: EdgeNode[];
  /** Whether nodes can reach this platform; else `hint` says what to do. */
  served: boolean;
  hint: string;
}

export interface Invitation {
  id: string;
  label: string;
  created_ms: number;
  expires_ms: number;
}

export interface ProtocolInfo {
  name: string;
  schemes: string[];
  settings_schema?: JsonSchema;
}

export interface JsonSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
}

export interface Browsed {
  address: string;
  name: string;
  path: string[];
  leaf: boolean;
  storage?: string | null;
  kind?: string;
  unit?: string;
  low?: number | null;
  high?: number | null;
  writable?: boolean;
  description?: string;
  value?: string;
  options?: Record<string, unknown>;
}

export interface Certificate {
  /** SHA-256; `sha1` is what OPC UA products show. */
  thumbprint: string;
  sha1: string;
  state: string;
  subject: string;
  issuer: string;
  peer: string;
  /** The edge node that the device showed itself to; empty: the platform itself. */
  edge: string;
  application_uri?: string;
  names?: string[];
  not_before_ms: number;
  not_after_ms: number;
  warning?: string;
}

export interface LedgerRow {
  source: string;
  epoch: number;
  sent: number;
  stored: number;
  duplicated: number;
  missing: number;
  dropped: number;
  pending: number;
  gaps: number;
  undecodable: number;
  state: string;
  since_ms: number;
  last_time_ms: number;
  last_sequence: number;
}

export interface EventItem {
  time?: Moment;
  time_ms?: number;
  code: string;
  severity: "info" | "warning" | "error" | "critical";
  component: string;
  subject: string;
  message: string;
  hint?: string;
  active?: boolean | null;
  details?: Record<string, unknown>;
}

export interface Health {
  status: "ok" | "degraded" | "starting";
  components?: {
    name: string;
    state: string;
    since_ms: number;
    restarts: number;
    memory_mb: number;
    cpu_percent?: number;
    detail: string;
  }[];
  spine?: {
    connected: boolean;
    streams: { name: string; messages: number; bytes: number; max_bytes: number; policy: string; dropped: number }[];
  };
  historian?: { answers?: boolean; tables: Record<string, { rows: number; bytes: number }> };
  flow?: { samples_per_s: number; points: number; lag_ms: number | null };
  problems?: string[];
}

export interface SeriesData {
  name: string;
  series: string;
  unit?: string;
  kind?: string;
  time_ms: number[];
  value: Scalar[];
  status: number[];
}

export interface QueryResult {
  resolution?: "raw" | "minute" | "hour" | string;
  truncated?: boolean;
  series: SeriesData[];
}

export interface Annotation {
  id: string;
  point: string | null;
  series: string;
  start_ms: number;
  end_ms: number;
  author: string;
  text: string;
}

export interface Page<T> {
  items: T[];
  next?: string | null;
  total?: number;
}

/** An import: `done` of `total` bytes are read; `problems` says why of the first rows that cannot be taken. */
export interface Job {
  id: string;
  kind: string;
  owner: string;
  name: string;
  state: "running" | "done" | "failed" | "cancelled";
  dry_run: boolean;
  done: number;
  total: number;
  samples: number;
  points: number;
  refused: number;
  problems: string[];
  first_ms: number | null;
  last_ms: number | null;
  started_ms: number;
  ended_ms: number | null;
  error: { code: string; message: string; place: string; hint: string } | null;
  phase?: string;
  nodes?: number;
  version?: number | null;
}
