import { get, post, request, root, save, guard, refusal, search, ApiError } from "../lib/api";
import type { Point } from "../lib/types";

export interface CellChange {
  column: string;
  old: string;
  new: string;
}

export interface RowChange {
  row: number;
  name: string;
  change: "added" | "changed" | "removed";
  cells: CellChange[];
}

export interface Fault {
  row: number;
  column: string;
  code: string;
  message: string;
  hint: string;
}

/** What a list, an edit or a template would change; `digest` is what applying it asks for. */
export interface Preview {
  digest: string;
  columns: string[];
  rows: RowChange[];
  faults: Fault[];
  added: number;
  changed: number;
  removed: number;
  unchanged: number;
  faulty: number;
}

export interface Applied {
  points: { added: number; changed: number; unchanged: number; reopened: number };
  removed: number;
  connectors: string[];
}

export interface Parameter {
  name: string;
  default?: string | null;
  text?: string;
}

export interface Template {
  name: string;
  text: string;
  parameters: Parameter[];
  columns: string[];
  rows: string[][];
  version: number;
}

/** Which points an edit is for: those named, or all that a search finds. */
export type Selection =
  { names: string[] } | { search: string; connector: string | null; path: string | null; all: true };

export interface Edit {
  set: Record<string, string>;
  replace: { column: string; find: string; put: string }[];
}

/** Sends a file as it is; throws `ApiError`. */
export async function sendList<T>(path: string, file: Blob, query: Record<string, string | boolean>): Promise<T> {
  let response: Response;
  try {
    response = await fetch(root + path + search(query), {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/octet-stream", ...guard() },
      credentials: "same-origin",
      body: file,
    });
  } catch {
    throw new ApiError(0, "OFFLINE", "The platform does not answer.");
  }
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as T;
}

/** Saves the tag list of what the query finds. */
export async function exportList(form: "csv" | "xlsx", query: Record<string, string>): Promise<string> {
  const response = await request("GET", `/points/list.${form}${search(query)}`, { accept: "*/*" });
  const name =
    /filename="?([^";]+)"?/i.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? `points.${form}`;
  save(await response.blob(), name);
  return name;
}

export const previewEdit = (points: Selection, edit: Edit) => post<Preview>("/points/edit/preview", { points, edit });
export const applyEdit = (points: Selection, edit: Edit, digest: string) =>
  post<Applied>("/points/edit", { points, edit, digest });
export const templates = async () => (await get<{ items: Template[] }>("/templates")).items;

/** Which rows of a long table stand in the window, with some to each side. */
export function windowOf(
  top: number,
  height: number,
  row: number,
  count: number,
  spare = 8,
): { from: number; to: number } {
  const from = Math.max(0, Math.min(count, Math.floor(top / row) - spare));
  return { from, to: Math.min(count, Math.max(from, Math.ceil((top + height) / row) + spare)) };
}

export type Editable = "tag" | "path" | "unit" | "low" | "high" | "text";

/** What a point's cell shows. */
export function cellOf(point: Point, column: Editable, language: string): string {
  if (column === "low" || column === "high")
    return point[column] === null || point[column] === undefined ? "" : String(point[column]);
  if (column === "text") return point.texts?.[language] ?? "";
  return point[column] ?? "";
}

/** The change that a cell's new text asks for; null where it is no number and has to be. */
export function changeOf(
  point: Point,
  column: Editable,
  language: string,
  text: string,
): Record<string, unknown> | null {
  const wanted = text.trim();
  if (column === "low" || column === "high") {
    if (wanted === "") return { [column]: null };
    const number = Number(wanted);
    return Number.isFinite(number) ? { [column]: number } : null;
  }
  if (column !== "text") return { [column]: wanted };
  const others = Object.fromEntries(Object.entries(point.texts ?? {}).filter(([name]) => name !== language));
  return { texts: wanted ? { ...others, [language]: wanted } : others };
}
