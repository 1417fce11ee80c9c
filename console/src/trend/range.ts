/** What a trend shows in time: a window that follows now, or a fixed one. */
export type Range = { live: true; span: number } | { live: false; start: number; end: number };

const units: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `15m`, `1h30m` as milliseconds; null for what is none. */
export function parseSpan(text: string): number | null {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(s|m|h|d|w)/g)];
  if (!parts.length || parts.map((part) => part[0]).join("") !== text) return null;
  const total = parts.reduce((sum, part) => sum + Number(part[1]) * units[part[2]!]!, 0);
  return total > 0 ? total : null;
}

/** Milliseconds as the shortest exact text: `15m`, `1d`, `90s`. */
export function formatSpan(ms: number): string {
  for (const name of ["w", "d", "h", "m"]) {
    const size = units[name]!;
    if (ms >= size && ms % size === 0 && !(name === "w" && ms === size)) return `${ms / size}${name}`;
  }
  return `${Math.max(1, Math.round(ms / 1000))}s`;
}

export interface Shared {
  points: string[];
  range: Range;
  compare: number | null;
}

export const defaultSpan = 15 * 60_000;
const shortest = 20;
const longest = 20 * 365 * 86_400_000;

export function readUrl(query: URLSearchParams): Shared {
  const points = [...new Set(query.getAll("p"))].slice(0, 16);
  const start = Date.parse(query.get("from") ?? "");
  const end = Date.parse(query.get("to") ?? "");
  const range: Range =
    Number.isFinite(start) && Number.isFinite(end) && end > start
      ? { live: false, ...bounded(start, end) }
      : { live: true, span: Math.min(longest, Math.max(5000, parseSpan(query.get("last") ?? "") ?? defaultSpan)) };
  return { points, range, compare: parseSpan(query.get("compare") ?? "") };
}

export function writeUrl({ points, range, compare }: Shared): URLSearchParams {
  const query = new URLSearchParams();
  for (const point of points) query.append("p", point);
  if (range.live) query.set("last", formatSpan(range.span));
  else {
    query.set("from", new Date(range.start).toISOString());
    query.set("to", new Date(range.end).toISOString());
  }
  if (compare) query.set("compare", formatSpan(compare));
  return query;
}

/** A window no shorter than raw samples need and no longer than a plant lives. */
export function bounded(start: number, end: number): { start: number; end: number } {
  const middle = (start + end) / 2;
  const span = Math.min(longest, Math.max(shortest, end - start));
  return end - start === span ? { start, end } : { start: middle - span / 2, end: middle + span / 2 };
}

/** The window zoomed by `factor` around `anchor`. */
export function zoomed(start: number, end: number, anchor: number, factor: number): { start: number; end: number } {
  return bounded(anchor - (anchor - start) * factor, anchor + (end - anchor) * factor);
}
