import type { Confirm, Confirmed, Said, Suggested, Suggestion } from "./types";

/** Suggestions of one point that are shown. */
export const most = 6;
const least = 0.12;
/** A role is proposed along with what is measured from this score on. */
const surely = 0.5;

/** What a point may mean, in the order of its chips: the best that is measured, its role, then the rest by score. */
export function chips(item: Pick<Suggested, "suggestions">): Suggestion[] {
  const ranked = [...item.suggestions].sort((one, other) => other.score - one.score);
  const main = ranked.find((one) => one.aspect !== "role");
  const role = ranked.find((one) => one.aspect === "role");
  const first = [main, role].filter((one) => one !== undefined);
  const rest = ranked.filter((one) => !first.includes(one) && one.score >= least);
  return [...first, ...rest].slice(0, most);
}

/** What one key confirms: the best, and the role beside it where that is likely; the role alone where nothing else is. */
export function proposed(item: Pick<Suggested, "suggestions">): Suggestion[] {
  const shown = chips(item);
  const main = shown.find((one) => one.aspect !== "role");
  const role = shown.find((one) => one.aspect === "role");
  if (!main) return role ? [role] : [];
  return role && role.score >= surely ? [main, role] : [main];
}

/** Whether a point has a meaning, or none of those that are known. */
export const matched = (item: Pick<Suggested, "said" | "known">) => item.said.length > 0 || item.known.length > 0;

/** Of those without a meaning the ones whose best suggestion has at least this score, with what would be confirmed. */
export function sure(items: readonly Suggested[], score: number): { item: Suggested; what: Suggestion[] }[] {
  return items
    .filter((item) => !matched(item))
    .map((item) => ({ item, what: proposed(item) }))
    .filter(({ what }) => what.length > 0 && what[0]!.aspect !== "role" && what[0]!.score >= score);
}

/** What makes things again as they were before an answer. */
export function undone(answer: readonly Confirmed[]): Confirm[] {
  const back =
    (point: string) =>
    (said: Said): Confirm => ({
      point,
      concept: said.aspect === "none" ? null : said.concept,
    });
  return answer.flatMap(({ point, before }) => [{ point, retract: true }, ...before.map(back(point))]);
}

/** The row after `at` that has no meaning yet, from the top again at the end; -1: all have. */
export function following(items: readonly Suggested[], at: number): number {
  for (let step = 1; step <= items.length; step++) {
    const place = (at + step) % items.length;
    if (!matched(items[place]!)) return place;
  }
  return -1;
}
