import { schemeOf, speaking } from "../connectors/form";
import { fieldsOf } from "../connectors/schema";
import type { ProtocolInfo } from "../lib/types";
import type { Change, DescribedConnector, DescribedPoint, Proposal } from "./types";

/** What a person says of a connector; it begins as what the description says. */
export interface Draft {
  name: string;
  protocol: string;
  url: string;
  settings: Record<string, unknown>;
  user: string;
  password: string;
  enabled: boolean;
  leave: boolean;
  edge: string;
}

export const draftOf = (one: DescribedConnector): Draft => ({
  name: one.name,
  protocol: one.protocol,
  url: one.url,
  settings: { ...one.settings },
  user: "",
  password: "",
  enabled: true,
  leave: false,
  edge: "",
});

/** The protocol of a connector: the chosen one, else the one that the address names. */
export const protocolOf = (draft: Draft, protocols: readonly ProtocolInfo[]): string =>
  draft.protocol || (schemeOf(draft.url) ? (speaking(protocols, draft.url)?.name ?? "") : "");

const alike = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** The settings that differ from those of the description; one that was put back to its standard is said, too. */
function settingsOf(draft: Draft, first: Draft, protocol: ProtocolInfo | undefined): Record<string, unknown> {
  const chosen = Object.entries(draft.settings).filter(([key, value]) => !alike(value, first.settings[key]));
  const standards = new Map(fieldsOf(protocol?.settings_schema ?? {}).map(({ name, part }) => [name, part.default]));
  const back = Object.keys(first.settings).filter((key) => !(key in draft.settings));
  return Object.fromEntries([...chosen, ...back.map((key): [string, unknown] => [key, standards.get(key) ?? null])]);
}

/** What is sent of a connector: what differs from how it began. `secret` stands for the password that was typed. */
function choiceOf(
  draft: Draft,
  first: Draft,
  protocols: readonly ProtocolInfo[],
  secret: (password: string) => string,
): Record<string, unknown> {
  if (draft.leave) return { leave: true };
  const choice: Record<string, unknown> = {};
  const name = draft.name.trim();
  if (name && name !== first.name) choice.name = name;
  const url = draft.url.trim();
  if (url && url !== first.url) choice.url = url;
  const protocol = protocolOf(draft, protocols);
  if (protocol && protocol !== first.protocol) choice.protocol = protocol;
  const settings = settingsOf(
    draft,
    first,
    protocols.find((one) => one.name === protocol),
  );
  if (Object.keys(settings).length) choice.settings = settings;
  if (draft.user || draft.password)
    choice.credentials = { user: draft.user, ...(draft.password ? { password: secret(draft.password) } : {}) };
  if (!draft.enabled) choice.enabled = false;
  if (draft.edge) choice.edge = draft.edge;
  return choice;
}

export interface Wish {
  document: string;
  drafts: Record<string, Draft>;
  /** How the drafts began. */
  first: Record<string, Draft>;
  protocols: readonly ProtocolInfo[];
  /** Points for which the description counts more than what a person set. */
  overwrite: readonly string[];
}

/** The body that asks for a preview. The password stays here: for what is only looked at, it counts that there is one. */
export const asked = (wish: Wish) => bodyOf(wish, () => "given");

/** The body that takes over what was looked at. */
export const taken = (wish: Wish, digest: string) => ({ ...bodyOf(wish, (password) => password), digest });

function bodyOf(wish: Wish, secret: (password: string) => string) {
  const connectors = Object.fromEntries(
    Object.entries(wish.drafts)
      .map(([name, draft]) => [name, choiceOf(draft, wish.first[name]!, wish.protocols, secret)] as const)
      .filter(([, choice]) => Object.keys(choice).length),
  );
  return { document: wish.document, connectors, overwrite: [...wish.overwrite] };
}

export interface Wanted {
  /** `kept`: those of which something that a person set stays. */
  change: Change | "kept" | "";
  words: string;
}

/** Those of `points` that are wanted, in their order. */
export function chosen(points: readonly DescribedPoint[], wanted: Wanted): DescribedPoint[] {
  const words = wanted.words.trim().toLowerCase().split(/\s+/).filter(Boolean);
  return points.filter((point) => {
    if (wanted.change === "kept" ? !point.kept.length : wanted.change && point.change !== wanted.change) return false;
    if (!words.length) return true;
    const values = [...point.fields, ...point.kept].flatMap((one) => [shown(one.old), shown(one.new)]);
    const text = [point.name, point.node, point.connector, point.address, ...values].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** A field's value as a person reads it; null where there is none. */
export function shown(value: unknown): string | null {
  if (value === null || value === undefined || value === "") return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Whether taking the proposal over would do anything. */
export const does = (found: Proposal): boolean =>
  found.added + found.changed + found.bound > 0 ||
  found.connectors.some((one) => one.change === "added" || one.change === "changed");
