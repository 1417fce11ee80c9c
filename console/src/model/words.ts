import { described, texting, word } from "../lib/i18n.svelte";
import type { IconName } from "../components/Icon.svelte";
import type { Latest } from "../lib/latest.svelte";
import type { Scalar } from "../lib/types";
import type { FoundNode, Link, Live, NodeItem } from "./types";

/** What people call a node: what somebody noted, its label in their language, its name. */
export const title = (node: NodeItem): string => node.label || described(node.labels) || node.name || node.id;

/** Its name beside its title, where that is another. */
export const beside = (node: NodeItem): string => (title(node) === node.name ? "" : node.name);

/** Both in one line, where siblings are called the same. */
export const full = (node: NodeItem): string => (beside(node) ? `${title(node)} · ${beside(node)}` : title(node));

export const kind = (node: NodeItem): string => word("model.kind", node.kind, node.kind.replace("_", " "));

/** A relation in words; one that a document defines is the last part of its id. */
export const relation = (name: string): string => word("model.relation", name, short(name));

/** Names of what is referred to by its id only; they are learnt before what names it is shown. */
const names = new Map<string, string>();
export function learn(found: Record<string, string>): void {
  if (names.size > 10_000) names.clear();
  for (const [id, name] of Object.entries(found)) names.set(id, name);
}

/** Its name, or the last part of an id, which is most of what a person needs of it. */
export const short = (id: string): string =>
  names.get(id) ?? id.split(/[/#;]/).filter(Boolean).at(-1)?.replace(/^s=/, "") ?? id;

export const end = (link: Link): string => (link.node ? full(link.node) : short(link.id));

const icons: Record<string, IconName> = {
  object: "thing",
  property: "points",
  operation: "operation",
  event: "events",
  folder: "folder",
  role: "shield",
};
export const icon = (node: NodeItem): IconName => icons[node.kind] ?? "type";

/** A text in the language of the person, else in English, else in any. */
export function inTheirs(texts: Record<string, string>): string {
  const found = Object.entries(texts).find(([tag]) => tag.toLowerCase().startsWith(texting.language));
  return found?.[1] ?? texts.en ?? Object.values(texts)[0] ?? "";
}

/** The newest of what came with the page and what the live stream brought since, in the unit that is shown. */
export function now(live: Live, streamed: Latest | undefined): Latest | null {
  if (streamed && streamed.time >= (live.time_ms ?? 0)) {
    const { value } = streamed;
    return { ...streamed, value: typeof value === "number" ? value * live.factor + live.offset : value };
  }
  if (live.time_ms === null) return null;
  return { time: live.time_ms, value: live.number ?? live.value, status: live.status ?? 0 };
}

/** A number of a document in the unit that was asked for; any other value as it is written. */
export function converted(found: FoundNode): Scalar {
  const { value } = found.node;
  if (value === null || found.factor === null || value.trim() === "" || !Number.isFinite(Number(value))) return value;
  return Number(value) * found.factor + (found.offset ?? 0);
}

/** The address of a node in a view. */
export const address = (id: string, view = "tree"): string =>
  `/model?${new URLSearchParams({ ...(view === "tree" ? {} : { view }), node: id }).toString()}`;

/** The address of the page with some of its query changed; what is empty is taken out. */
export function changedQuery(query: URLSearchParams, changes: Record<string, string>): string {
  const next = new URLSearchParams(query);
  for (const [key, value] of Object.entries(changes)) {
    if (value) next.set(key, value);
    else next.delete(key);
  }
  const all = next.toString();
  return all ? `/model?${all}` : "/model";
}
