import type { Scalar } from "./types";

export type Enumeration = Record<string, Record<string, string>>;

/** What a value means in words, in `language` or in any; empty where nobody has said. */
export function meaning(enumeration: Enumeration | undefined, value: Scalar | undefined, language: string): string {
  if (!enumeration || value === null || value === undefined) return "";
  const texts = enumeration[typeof value === "boolean" ? (value ? "1" : "0") : String(value)];
  if (!texts) return "";
  const found = Object.entries(texts).find(([name]) => name.toLowerCase().startsWith(language));
  return found?.[1] ?? texts.en ?? Object.values(texts)[0] ?? "";
}

const marked = (text: string) => text.replace(/[\\;=]/g, "\\$&");

/** The texts of one language as a tag list writes them: `0=closed;1=open`. */
export function written(enumeration: Enumeration | undefined, language: string): string {
  return Object.entries(enumeration ?? {})
    .filter(([, texts]) => texts[language])
    .map(([value, texts]) => `${marked(value)}=${marked(texts[language]!)}`)
    .join(";");
}

/** `enumeration` with the texts of one language as `text` says; null where that cannot be read. */
export function reading(enumeration: Enumeration | undefined, language: string, text: string): Enumeration | null {
  const result: Enumeration = {};
  for (const [value, texts] of Object.entries(enumeration ?? {})) {
    const others = Object.fromEntries(Object.entries(texts).filter(([name]) => name !== language));
    if (Object.keys(others).length) result[value] = others;
  }
  for (const part of text.match(/(?:\\.|[^;\\])+/gs) ?? []) {
    if (!part.trim()) continue;
    const pieces = part.match(/(?:\\.|[^=\\])+/gs) ?? [];
    const [value, words] = pieces.map((piece) => piece.replace(/\\(.)/gs, "$1").trim());
    if (pieces.length !== 2 || !value || !words) return null;
    result[value] = { ...result[value], [language]: words };
  }
  return result;
}
