/** A record that is edited: rows for the eye, and the changes that saving sends. */
import { shownData } from "./record";
import type { Value } from "./types";

export interface Row {
  index: number;
  type: string;
  /** What stands in the field: the text, or the JSON of data with a form of their own. */
  content: string;
  format: string;
  /** Whether everybody may read it. */
  open: boolean;
  ttl: number | string;
  /** As it is in the record; null for a new one. */
  before: Value | null;
}

const usual = "1110";
const open = (permissions: string) => permissions[2] === "1";

export function rowsOf(values: readonly Value[]): Row[] {
  return values.map((value) => ({
    index: value.index,
    type: value.type,
    content: shownData(value.data),
    format: value.data.format,
    open: open(value.permissions ?? usual),
    ttl: value.ttl ?? 86400,
    before: value,
  }));
}

/** The next free index, from 1 on. */
export function freeIndex(rows: readonly Row[]): number {
  const taken = new Set(rows.map((row) => row.index));
  let index = 1;
  while (taken.has(index)) index++;
  return index;
}

/** Thrown for a row that cannot be sent; `index` says which. */
export class RowError extends Error {
  constructor(
    readonly index: number,
    readonly kind: "json" | "type" | "twice" | "index",
  ) {
    super(`value ${index}: ${kind}`);
  }
}

function valueOf(row: Row): Value {
  if (!row.type.trim()) throw new RowError(row.index, "type");
  if (!Number.isInteger(row.index) || row.index < 1) throw new RowError(row.index, "index");
  let content: unknown = row.content;
  if (!["string", "base64", "hex"].includes(row.format)) {
    try {
      content = JSON.parse(row.content);
    } catch {
      throw new RowError(row.index, "json");
    }
  }
  const given = row.before?.permissions ?? usual;
  const permissions = open(given) === row.open ? given : given.slice(0, 2) + (row.open ? "1" : "0") + given.slice(3);
  return {
    index: row.index,
    type: row.type.trim(),
    data: { format: row.format, value: content },
    ttl: row.ttl,
    permissions,
  };
}

const said = (value: Value) =>
  JSON.stringify([value.index, value.type, value.data, value.ttl ?? 86400, value.permissions ?? usual]);

/** What turns the record into `rows`; a secret that nobody sees stays as it is. Throws `RowError`. */
export function changes(before: readonly Value[], rows: readonly Row[]): { put: Value[]; remove: number[] } {
  const kept = new Set<number>();
  const put: Value[] = [];
  for (const row of rows) {
    if (kept.has(row.index)) throw new RowError(row.index, "twice");
    kept.add(row.index);
    if (row.format === "secret") continue;
    const value = valueOf(row);
    const old = before.find((one) => one.index === row.index);
    if (!old || said(old) !== said(value)) put.push(value);
  }
  return { put, remove: before.filter((one) => !kept.has(one.index)).map((one) => one.index) };
}
