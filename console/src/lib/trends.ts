import { store, stored } from "./preferences.svelte";

/** The address of a trend of `names`. */
export function trendUrl(names: readonly string[], more: Record<string, string> = {}): string {
  const query = new URLSearchParams();
  for (const name of names) query.append("p", name);
  for (const [key, value] of Object.entries(more)) query.set(key, value);
  return `/trend?${query.toString()}`;
}

/** Names kept on this device under `key`, for this person. */
export function keptNames(key: string, user: string): string[] {
  try {
    const found: unknown = JSON.parse(stored(`${key}.${user}`) ?? "[]");
    return Array.isArray(found) ? found.filter((name): name is string => typeof name === "string") : [];
  } catch {
    return [];
  }
}

export function keepNames(key: string, user: string, names: readonly string[]): void {
  store(`${key}.${user}`, JSON.stringify(names));
}
