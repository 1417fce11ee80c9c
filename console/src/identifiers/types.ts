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

export interface Offices {
  role: string;
  here: boolean;
  prefixes: string[];
  /** The address of the node above; empty where none is named. */
  above: string;
  public_key: string;
  needs_reason: string[];
}

export interface ApplicationItem {
  id: string;
  prefix: string;
  organisation: string;
  state: string;
  revision: number;
  applied: string;
  changed: string;
}

export interface ApplicationPage {
  items: ApplicationItem[];
  next: number | null;
}

export interface ServerAt {
  address: string;
  udp?: number;
  tcp?: number;
  http?: number;
  https?: number;
}

export interface Registration {
  prefix: string;
  tier?: string;
  organisation: {
    name: string;
    register: string;
    number: string;
    country: string;
    industry: string;
    authority?: string;
    address?: string;
    /** Shown to who may change identifiers. */
    contact?: { name: string; email: string; phone?: string };
  };
  purpose: string;
  code_types?: string[];
  servers: ServerAt[];
  public_key?: string;
  reference?: string;
}

export interface Signed {
  registration: string;
  signature: string;
}

export interface StepTaken {
  at: string;
  by: string;
  action: string;
  before: string;
  after: string;
  reason: string;
}

export interface Application {
  id: string;
  prefix: string;
  state: string;
  revision: number;
  applied: string;
  changed: string;
  registration: Registration;
  actions: string[];
  remarks: string[];
  history: StepTaken[];
  mine: boolean;
  whole: boolean;
}

/** At which node an application is. */
export type At = "here" | "above";

export interface Attribute {
  name: string;
  type: string;
  index: number;
  title?: Record<string, string>;
  unit?: string;
  semantic?: string;
  language?: string;
  visibility?: string;
  writing?: string;
  required?: boolean;
  most?: number;
  low?: number | null;
  high?: number | null;
  longest?: number | null;
  choices?: string[];
  grants?: { to: string; may: string }[];
}

export interface Template {
  title?: Record<string, string>;
  note?: string;
  open?: boolean;
  attributes: Attribute[];
}

export interface TemplateItem {
  handle: string;
  title: Record<string, string>;
  versions: number[];
  drafts: number;
  attributes: number;
  records: number;
  more: boolean;
}

export interface TemplatePage {
  items: TemplateItem[];
  next: string | null;
}

export interface TemplateVersion {
  version: number;
  draft: boolean;
  public: boolean;
  template: Template | null;
  problem: string;
}

export interface TemplateOf {
  handle: string;
  versions: TemplateVersion[];
  records: string[];
  more: boolean;
}

export interface Finding {
  attribute: string;
  rule: string;
  message: string;
  index: number;
}

export interface Check {
  handle: string;
  template: string;
  whole: boolean;
  findings: number;
  attributes: {
    name: string;
    title: Record<string, string>;
    type: string;
    unit: string;
    required: boolean;
    public: boolean;
    values: string[];
    findings: Finding[];
  }[];
  others: Finding[];
}

export interface Latency {
  count: number;
  mean_ms: number;
  min_ms: number;
  max_ms: number;
  min_at: string;
  max_at: string;
}

export interface Span {
  begin: string;
  requests: number;
  successes: number;
  dropped: number;
  over_budget: number;
  peak: number;
  peak_at: string;
  created: number;
  changed: number;
  deleted: number;
  registered: number;
  latency: Record<string, Latency>;
}

export interface Fault {
  id: number;
  cause: number;
  code: string;
  at: string;
  over: string | null;
  subject: string;
  message: string;
  meaning: string;
}

export interface Statistics {
  by: "hour" | "day";
  since: string;
  complete: boolean;
  spans: Span[];
  whole: Span;
  answers: { kind: string; code: number; text: string; count: number }[];
  faults: Fault[];
}
