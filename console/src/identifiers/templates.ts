import type { Attribute, Template } from "./types";

export const types = ["text", "number", "integer", "boolean", "time", "url", "reference", "json"] as const;
export const numeric = (type: string) => type === "number" || type === "integer";

/** What an attribute has when nothing is said. */
const usual: Partial<Attribute> = {
  visibility: "admin",
  writing: "administrators",
  required: false,
  most: 1,
  unit: "",
  semantic: "",
  language: "",
};

const fields = [
  "type",
  "index",
  "title",
  "unit",
  "semantic",
  "language",
  "visibility",
  "writing",
  "required",
  "most",
  "low",
  "high",
  "longest",
  "choices",
  "grants",
] as const;
export type Field = (typeof fields)[number];

export interface Difference {
  name: string;
  change: "added" | "removed" | "changed";
  fields: { field: Field; old: string; new: string }[];
}

/** A field of an attribute in words that can be compared; empty where it says nothing. */
export function shown(attribute: Attribute, field: Field): string {
  const value = attribute[field] ?? usual[field as keyof Attribute];
  if (value === undefined || value === null || value === "") return "";
  if (field === "title")
    return Object.entries(value as Record<string, string>)
      .sort(([one], [other]) => one.localeCompare(other))
      .map(([language, text]) => `${language}: ${text}`)
      .join(", ");
  if (field === "grants") return (attribute.grants ?? []).map((grant) => `${grant.to} ${grant.may}`).join(", ");
  if (Array.isArray(value)) return value.join(", ");
  return String(value);
}

/** What the attributes of two versions differ in: in the order of the new ones, and those that are gone at the end. */
export function differences(before: Template, after: Template): Difference[] {
  const old = new Map(before.attributes.map((one) => [one.name.toUpperCase(), one]));
  const found: Difference[] = [];
  for (const attribute of after.attributes) {
    const earlier = old.get(attribute.name.toUpperCase());
    old.delete(attribute.name.toUpperCase());
    if (!earlier) {
      found.push({ name: attribute.name, change: "added", fields: [] });
      continue;
    }
    const changed = fields
      .map((field) => ({ field, old: shown(earlier, field), new: shown(attribute, field) }))
      .filter((one) => one.old !== one.new);
    if (changed.length) found.push({ name: attribute.name, change: "changed", fields: changed });
  }
  return [...found, ...[...old.values()].map((one) => ({ name: one.name, change: "removed" as const, fields: [] }))];
}

/** An attribute as the form has it; `rest` is what the form does not show, and keeps. */
export interface Row {
  name: string;
  type: string;
  index: string;
  en: string;
  zh: string;
  unit: string;
  semantic: string;
  language: string;
  open: boolean;
  required: boolean;
  most: string;
  low: string;
  high: string;
  longest: string;
  choices: string;
  rest: Partial<Attribute>;
}

export function freshRow(rows: Row[]): Row {
  const ends = rows.map((row) => Number(row.index) + Math.max(1, Number(row.most) || 1));
  return {
    name: "",
    type: "text",
    index: String(Math.max(2000, ...ends)),
    en: "",
    zh: "",
    unit: "",
    semantic: "",
    language: "",
    open: true,
    required: false,
    most: "1",
    low: "",
    high: "",
    longest: "",
    choices: "",
    rest: {},
  };
}

const digits = (value: number | null | undefined) => (value === undefined || value === null ? "" : String(value));

export function rowsOf(template: Template): Row[] {
  return template.attributes.map((one) => ({
    name: one.name,
    type: one.type,
    index: String(one.index),
    en: one.title?.en ?? "",
    zh: one.title?.zh ?? "",
    unit: one.unit ?? "",
    semantic: one.semantic ?? "",
    language: one.language ?? "",
    open: one.visibility === "public",
    required: one.required ?? false,
    most: String(one.most ?? 1),
    low: digits(one.low),
    high: digits(one.high),
    longest: digits(one.longest),
    choices: (one.choices ?? []).join("\n"),
    rest: { title: one.title ?? {}, writing: one.writing, grants: one.grants } as Partial<Attribute>,
  }));
}

/** Texts in both languages, beside those in others that were there before. */
export function titled(before: Record<string, string> | undefined, en: string, zh: string): Record<string, string> {
  const found: Record<string, string> = { ...before, en: en.trim(), zh: zh.trim() };
  return Object.fromEntries(Object.entries(found).filter(([, text]) => text));
}

/** The attribute that a row says: nothing that its type cannot have, and nothing that goes without saying. */
export function attributeOf(row: Row): Attribute {
  const found: Attribute = { name: row.name.trim(), type: row.type, index: Number(row.index) };
  const title = titled(row.rest.title, row.en, row.zh);
  if (Object.keys(title).length) found.title = title;
  if (numeric(row.type)) {
    if (row.unit.trim()) found.unit = row.unit.trim();
    if (String(row.low).trim()) found.low = Number(row.low);
    if (String(row.high).trim()) found.high = Number(row.high);
  }
  if (row.type === "text") {
    if (row.language.trim()) found.language = row.language.trim();
    if (String(row.longest).trim()) found.longest = Number(row.longest);
    const choices = row.choices.split("\n").map((one) => one.trim());
    if (choices.some(Boolean)) found.choices = choices.filter(Boolean);
  }
  if (row.semantic.trim()) found.semantic = row.semantic.trim();
  if (row.open) found.visibility = "public";
  if (row.required) found.required = true;
  if (Number(row.most) > 1) found.most = Number(row.most);
  if (row.rest.writing && row.rest.writing !== "administrators") found.writing = row.rest.writing;
  if (row.rest.grants?.length) found.grants = row.rest.grants;
  return found;
}

/** The place of an error as the number of the attribute it is about; null where it is about none. */
export function attributeAt(place: string): number | null {
  const found = /attributes\[(\d+)\]/.exec(place);
  return found ? Number(found[1]) : null;
}
