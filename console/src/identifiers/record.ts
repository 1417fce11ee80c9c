/** A record as a person reads it: what it is of, whose it is, and where it leads. */
import type { Data, Value } from "./types";

export interface Link {
  label: string;
  href: string;
}

export interface Card {
  kind: "point" | "thing" | "service" | "alias" | "record";
  description: string;
  owner: string;
  administrators: string[];
  links: Link[];
  /** What the description says besides, in its order. */
  facts: [string, string][];
  alias: string;
}

const descriptions = new Set(["DESC", "DESCRIPTION", "NAME", "TITLE"]);
const owners = new Set(["OWNER", "ORG", "ORGANISATION", "ORGANIZATION", "COMPANY", "MANUFACTURER"]);
const told = new Set(["kind", "texts", "names", "thing", "storage"]);

const object = (found: unknown): Record<string, unknown> =>
  typeof found === "object" && found !== null && !Array.isArray(found) ? (found as Record<string, unknown>) : {};

/** The text of data that are one; empty for everything else. */
export const text = (data: Data): string =>
  data.format === "string" && typeof data.value === "string" ? data.value : "";

/** The data in one line or several, whatever they are. */
export function shownData(data: Data): string {
  if (data.format === "secret") return "••••••••";
  return typeof data.value === "string" ? data.value : JSON.stringify(data.value, null, 2);
}

/** An address that a person may follow: http and https alone, for a record is written by strangers. */
export function safeLink(href: string): string {
  try {
    const url = new URL(href.trim());
    return (url.protocol === "http:" || url.protocol === "https:") && !url.username ? url.href : "";
  } catch {
    return "";
  }
}

function parsed(data: Data): Record<string, unknown> {
  try {
    return object(JSON.parse(text(data)));
  } catch {
    return {};
  }
}

/** `language` chooses among descriptions in several. */
export function cardOf(values: readonly Value[], language: string): Card {
  const card: Card = {
    kind: "record",
    description: "",
    owner: "",
    administrators: [],
    links: [],
    facts: [],
    alias: "",
  };
  for (const value of values) {
    const kind = value.type.toUpperCase();
    const content = text(value.data);
    if (kind === "HULIAN.DESCRIPTION") describe(card, parsed(value.data), language);
    else if (kind === "HS_ADMIN") {
      const admin = object(value.data.value);
      if (typeof admin.handle === "string") card.administrators.push(`${String(admin.index ?? "")}:${admin.handle}`);
    } else if (kind === "HS_ALIAS") {
      card.alias = content;
      card.kind = "alias";
    } else if (kind.startsWith("HS_SITE") || kind.startsWith("HS_SERV")) {
      if (card.kind === "record") card.kind = "service";
    } else if (owners.has(kind)) card.owner ||= content;
    else if (descriptions.has(kind)) card.description ||= content;
    else {
      const href = safeLink(content);
      if (href) card.links.push({ label: value.type, href });
    }
  }
  return card;
}

function describe(card: Card, document: Record<string, unknown>, language: string): void {
  if (document.kind === "point" || document.kind === "thing") card.kind = document.kind;
  const texts = object(document.texts);
  const chosen = Object.entries(texts).find(([name]) => name.toLowerCase().startsWith(language));
  const words = chosen?.[1] ?? texts.en ?? Object.values(texts)[0];
  if (typeof words === "string") card.description ||= words;
  for (const [name, fact] of Object.entries(document)) {
    if (!told.has(name) && (typeof fact === "string" || typeof fact === "number"))
      card.facts.push([name, String(fact)]);
  }
}

export interface Remembered {
  text: string;
  handle: string;
  at: number;
}

/** The last ones, the newest first, each once. */
export function remember(before: readonly Remembered[], one: Remembered, most = 12): Remembered[] {
  return [one, ...before.filter((other) => other.text !== one.text)].slice(0, most);
}

/** What was stored, or nothing where that cannot be read. */
export function recalled(stored: string | null): Remembered[] {
  try {
    const found: unknown = JSON.parse(stored ?? "[]");
    if (!Array.isArray(found)) return [];
    return found.filter(
      (one): one is Remembered =>
        typeof object(one).text === "string" &&
        typeof object(one).handle === "string" &&
        typeof object(one).at === "number",
    );
  } catch {
    return [];
  }
}
