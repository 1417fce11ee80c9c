import type { Key } from "../lib/i18n.svelte";

/** A reason of the platform in the parts that another language needs. */
export interface Reason {
  key: Key;
  parameters: Record<string, string>;
}

const forms: readonly [RegExp, Key, readonly string[]][] = [
  [/^it was confirmed for this tag$/, "dictionary.reason.confirmed", []],
  [/^confirmed for (\d+) of (\d+) tags with (\w+) '(.*)'$/, "dictionary.reason.learned", ["n", "m", "kind", "word"]],
  [/^(\S+) in (\S+) is .+ \(ISA-5\.1\)$/, "dictionary.reason.letters", ["part", "word"]],
  [/^(\S+) transmits or indicates \(ISA-5\.1\)$/, "dictionary.reason.transmits", ["word"]],
  [/^it has a unit, and nothing says otherwise$/, "dictionary.reason.hasunit", []],
  [/^its unit (.+) is the usual one$/, "dictionary.reason.usual", ["unit"]],
  [/^its unit (.+) measures the same dimension as (.+)$/, "dictionary.reason.dimension", ["unit", "other"]],
  [/^its (word|end|text|path) '(.+)' (?:is|ends with|has) .+$/, "dictionary.reason.word", ["kind", "word"]],
  [/^its text says '(.+)'$/, "dictionary.reason.says", ["word"]],
  [/^its names have '(.+)'$/, "dictionary.reason.names", ["word"]],
  [/^it is a kind of (.+)$/, "dictionary.reason.kindof", ["word"]],
];

/** What kind of reason it is; null for one that is not known, which is shown as it came. */
export function reason(text: string): Reason | null {
  for (const [form, key, names] of forms) {
    const found = form.exec(text);
    if (found) return { key, parameters: Object.fromEntries(names.map((name, at) => [name, found[at + 1]!])) };
  }
  return null;
}
