import type { Texts } from "../texts/en";
import { store, stored } from "./preferences.svelte";

export type Language = "en" | "zh";
export type Key = keyof Texts;

const loaders: Record<Language, () => Promise<Texts>> = {
  en: async () => (await import("../texts/en")).texts,
  zh: async () => (await import("../texts/zh")).texts,
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
  texts = $state.raw<Texts | null>(null);

  async load(language = this.language): Promise<void> {
    this.texts = await loaders[language]();
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
