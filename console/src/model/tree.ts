/** The tree as the list of rows that is shown: documents, what was opened below them, and what waits to be loaded. */
import type { ModelDocument, NodeItem } from "./types";

/** What is known of one level: its first pages. */
export interface Level {
  items: NodeItem[];
  next: string | null;
  busy: boolean;
  failed: boolean;
}

export interface Row {
  /** Of the document or node; for what waits, that of the level. */
  key: string;
  what: "document" | "node" | "more" | "busy";
  depth: number;
  /** Key of the row that it stands under; empty at the top. */
  parent: string;
  opens: boolean;
  open: boolean;
  document: ModelDocument | null;
  node: NodeItem | null;
  /** Place among its siblings that are loaded, from 1, and how many these are. */
  place: number;
  siblings: number;
}

export const documentKey = (name: string) => `document:${name}`;
export const nodeKey = (id: string) => `node:${id}`;

/** All rows that are to be seen, from the top down. */
export function rowsOf(
  documents: readonly ModelDocument[],
  level: (key: string) => Level | undefined,
  open: (key: string) => boolean,
): Row[] {
  const rows: Row[] = [];
  const below = (parent: string, depth: number) => {
    const known = level(parent);
    for (const [at, node] of (known?.items ?? []).entries()) {
      const key = nodeKey(node.id);
      const opened = node.children && open(key);
      rows.push({
        key,
        what: "node",
        depth,
        parent,
        opens: node.children,
        open: opened,
        document: null,
        node,
        place: at + 1,
        siblings: known!.items.length,
      });
      if (opened) below(key, depth + 1);
    }
    const wait = { key: parent, depth, parent, opens: false, open: false, document: null, node: null };
    if (!known || known.busy) rows.push({ ...wait, what: "busy", place: 0, siblings: 0 });
    else if (known.next || known.failed) rows.push({ ...wait, what: "more", place: 0, siblings: 0 });
  };
  for (const [at, document] of documents.entries()) {
    const key = documentKey(document.name);
    const opened = open(key);
    rows.push({
      key,
      what: "document",
      depth: 0,
      parent: "",
      opens: document.nodes > 0,
      open: opened,
      document,
      node: null,
      place: at + 1,
      siblings: documents.length,
    });
    if (opened) below(key, 1);
  }
  return rows;
}

export type Step = { to: number } | { open: string } | { close: string } | { pick: number } | null;

/** What a key does, as trees of the desktop have it (WAI-ARIA, tree view pattern). */
export function step(rows: readonly Row[], at: number, key: string, page = 12): Step {
  const row = rows[at];
  if (!row) return rows.length && ["ArrowDown", "Home"].includes(key) ? { to: 0 } : null;
  const last = rows.length - 1;
  switch (key) {
    case "ArrowDown":
      return at < last ? { to: at + 1 } : null;
    case "ArrowUp":
      return at > 0 ? { to: at - 1 } : null;
    case "Home":
      return { to: 0 };
    case "End":
      return { to: last };
    case "PageDown":
      return { to: Math.min(last, at + page) };
    case "PageUp":
      return { to: Math.max(0, at - page) };
    case "ArrowRight":
      if (!row.opens) return null;
      if (!row.open) return { open: row.key };
      return at < last && rows[at + 1]!.parent === row.key ? { to: at + 1 } : null;
    case "ArrowLeft": {
      if (row.open) return { close: row.key };
      const above = rows.findIndex((one) => one.what !== "more" && one.what !== "busy" && one.key === row.parent);
      return above >= 0 ? { to: above } : null;
    }
    case "Enter":
    case " ":
      return { pick: at };
    default:
      return null;
  }
}

/** The row that begins with what was typed, after `at` and around. */
export function typed(rows: readonly Row[], at: number, text: string, title: (row: Row) => string): number {
  const wanted = text.toLowerCase();
  for (let step = 0; step < rows.length; step++) {
    const place = (at + step) % rows.length;
    if (title(rows[place]!).toLowerCase().startsWith(wanted)) return place;
  }
  return -1;
}

/** Which rows are drawn where `height` pixels from `top` are seen, a few more on each side. */
export function seen(count: number, top: number, height: number, each: number, more = 8): { from: number; to: number } {
  const from = Math.max(0, Math.floor(top / each) - more);
  return { from: Math.min(from, count), to: Math.min(count, Math.ceil((top + height) / each) + more) };
}
