import type { Change, Differences, Step, What } from "./types";

/** Which changes are shown: of one kind, with one field, with words in name, id or values. */
export interface Wanted {
  what: What | "";
  field: string;
  words: string;
}

/** Those of `changes` that are wanted, in their order. */
export function chosen(changes: readonly Change[], wanted: Wanted): Change[] {
  const words = wanted.words.trim().toLowerCase();
  return changes.filter(
    (change) =>
      (!wanted.what || change.what === wanted.what) &&
      (!wanted.field || change.fields.some((one) => one.field === wanted.field)) &&
      (!words ||
        [change.name, change.node, ...change.fields.flatMap((one) => [one.old ?? "", one.new ?? ""])].some((text) =>
          text.toLowerCase().includes(words),
        )),
  );
}

/** How many differ; references count. */
export const total = (found: Differences): number =>
  found.added + found.removed + found.changed + found.references_added + found.references_removed;

/** `steps` with the one at `at` moved by `by` places; the same where it would leave the list. */
export function moved<T>(steps: readonly T[], at: number, by: number): T[] {
  const to = at + by;
  const result = [...steps];
  if (at < 0 || at >= result.length || to < 0 || to >= result.length) return result;
  result.splice(to, 0, ...result.splice(at, 1));
  return result;
}

/** What a step stands on that would come only after it, in the order that somebody has chosen. */
export function early(steps: readonly Pick<Step, "upload" | "requires">[], at: number): string[] {
  const before = new Set(steps.slice(0, at + 1).map((step) => step.upload));
  const all = new Set(steps.map((step) => step.upload));
  return (steps[at]?.requires ?? [])
    .filter((one) => one.upload && all.has(one.upload) && !before.has(one.upload))
    .map((one) => one.what);
}
