import type { Texts as Connectors } from "../texts/connectors.en";
import type { Texts as Documents } from "../texts/documents.en";
import type { Texts as Described } from "../texts/described.en";
import type { Texts as Dictionary } from "../texts/dictionary.en";
import type { Texts as Edges } from "../texts/edges.en";
import type { Texts as Core } from "../texts/en";
import type { Texts as Identifiers } from "../texts/identifiers.en";
import type { Texts as Model } from "../texts/model.en";
import type { Texts as Tags } from "../texts/tags.en";
import { store, stored } from "./preferences.svelte";

export type Language = "en" | "zh";

/** Texts that are loaded with the pages that show them; the others come with the first load. */
export type Group =
  "connectors" | "described" | "dictionary" | "documents" | "edges" | "identifiers" | "model" | "tags";
type Texts = Core & Connectors & Described & Dictionary & Documents & Edges & Identifiers & Model & Tags;
export type Key = keyof Texts;

const loaders: Record<Language, Record<"core" | Group, () => Promise<{ texts: Partial<Texts> }>>> = {
  en: {
    core: () => import("../texts/en"),
    connectors: () => import("../texts/connectors.en"),
    documents: () => import("../texts/documents.en"),
    described: () => import("../texts/described.en"),
    dictionary: () => import("../texts/dictionary.en"),
    edges: () => import("../texts/edges.en"),
    identifiers: () => import("../texts/identifiers.en"),
    model: () => import("../texts/model.en"),
    tags: () => import("../texts/tags.en"),
  },
  zh: {
    core: () => import("../texts/zh"),
    connectors: () => import("../texts/connectors.zh"),
    documents: () => import("../texts/documents.zh"),
    described: () => import("../texts/described.zh"),
    dictionary: () => import("../texts/dictionary.zh"),
    edges: () => import("../texts/edges.zh"),
    identifiers: () => import("../texts/identifiers.zh"),
    model: () => import("../texts/model.zh"),
    tags: () => import("../texts/tags.zh"),
  },
};

function preferred(): Language {
  const chosen = stored("language");
  if (chosen === "en" || chosen === "zh") return chosen;
  for (const name of navigator.languages) {
    const language = name.slice(0, 2).toLowerCase();
    if (language === "zh" || language === "en") return language;
  }
  return "en";
}

class Texting {
  language = $state<Language>(preferred());
  texts = $state.raw<Partial<Texts> | null>(null);
  #chosen = this.language;
  #last: Promise<unknown> | null = null;
  #wanted = new Set<"core" | Group>(["core"]);

  /** What `groups` say can be shown when this is done, in whichever language is chosen then. */
  async need(groups: readonly Group[]): Promise<void> {
    const missing = groups.filter((one) => !this.#wanted.has(one));
    if (!missing.length) {
      // They may be on their way for somebody who was here before.
      await this.#last?.catch(() => undefined);
      return;
    }
    for (const one of missing) this.#wanted.add(one);
    try {
      await this.load();
    } catch (error) {
      for (const one of missing) this.#wanted.delete(one);
      throw error;
    }
  }

  /** The texts of everything that is wanted; of two loads at a time the later one counts, and both end with it. */
  async load(language = this.#chosen): Promise<void> {
    this.#chosen = language;
    const own = (this.#last = Promise.all([...this.#wanted].map((one) => loaders[language][one]())));
    let parts;
    try {
      parts = await own;
    } catch (error) {
      if (this.#last === own) this.#chosen = this.language;
      throw error;
    }
    if (this.#last !== own) {
      await this.#last;
      return;
    }
    this.texts = Object.assign({}, ...parts.map((part) => part.texts)) as Partial<Texts>;
    this.language = language;
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  }

  /** The choice is kept before its texts are fetched: somebody who goes on at once has chosen all the same. */
  choose(language: Language): Promise<void> {
    store("language", language);
    return this.load(language);
  }
}

export const texting = new Texting();

/** The text of `key` in the chosen language; `{name}` is replaced by the parameter of that name. */
export function t(key: Key, parameters?: Record<string, string | number>): string {
  const text = texting.texts?.[key] ?? key;
  return parameters ? text.replace(/\{(\w+)\}/g, (whole, name: string) => String(parameters[name] ?? whole)) : text;
}

/** The text of `key` if there is one, else `fallback`: for words that come from the platform, such as states. */
export function word(group: string, name: string, fallback = name): string {
  return texting.texts?.[`${group}.${name}` as Key] ?? fallback;
}

/** The description of a point in the chosen language, or in any. */
export function described(texts: Record<string, string> | undefined): string {
  if (!texts) return "";
  const wanted = texting.language;
  const found = Object.entries(texts).find(([name]) => name.toLowerCase().startsWith(wanted));
  return found?.[1] ?? texts.en ?? Object.values(texts)[0] ?? "";
}
