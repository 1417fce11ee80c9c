import { describe, expect, it } from "vitest";

const texts = import.meta.glob<Record<string, string>>("./*.ts", { eager: true, import: "texts" });
const sources = import.meta.glob<string>(["../**/*.svelte", "../**/*.ts"], {
  eager: true,
  query: "?raw",
  import: "default",
});
const files = Object.keys(texts).filter((name) => !name.includes(".test."));
const english = files.filter((name) => /\/(?:\w+\.)?en\.ts$/.test(name));
const holes = (text: string) => [...text.matchAll(/\{\w+\}/g)].map((found) => found[0]).sort();
const groupOf = (name: string) => /\.\/(\w+)\.en\.ts$/.exec(name)?.[1] ?? "core";

describe("the languages", () => {
  it("say the same things with the same holes to fill", () => {
    expect(files.length).toBe(2 * english.length);
    for (const name of english) {
      const en = texts[name]!;
      const zh = texts[name.replace(/en\.ts$/, "zh.ts")]!;
      expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
      for (const [key, text] of Object.entries(en)) expect(holes(zh[key]!), key).toEqual(holes(text));
    }
  });

  it("leave nothing empty", () => {
    for (const name of files)
      for (const [key, text] of Object.entries(texts[name]!)) expect(text.trim(), key).not.toBe("");
  });

  it("say each thing in one group", () => {
    const keys = english.flatMap((name) => Object.keys(texts[name]!));
    expect(new Set(keys).size).toBe(keys.length);
  });
});

/** The files that `start` imports, by whatever path. */
function reached(start: string): Set<string> {
  const found = new Set<string>();
  const queue = [start];
  while (queue.length) {
    const file = queue.pop()!;
    if (found.has(file) || !(file in sources)) continue;
    found.add(file);
    const folder = new URL(".", `file:///src/texts/${file}`);
    for (const [, path] of sources[file]!.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
      const whole = new URL(path!, folder).pathname.replace(/^\/src\//, "../");
      for (const name of [whole, `${whole}.ts`, `${whole}.svelte.ts`]) queue.push(name);
    }
  }
  return found;
}

describe("a page", () => {
  const places = [
    ...sources["../lib/places.ts"]!.matchAll(/import\("\.\.\/pages\/(\w+)\.svelte"\),?\s*(?:texts:\s*\[([^\]]*)\])?/g),
  ];
  const home = new Map(
    english.flatMap((name) => Object.keys(texts[name]!).map((key) => [key, groupOf(name)] as const)),
  );
  const prefixes = new Map([...home].map(([key, group]) => [key.split(".")[0]!, group]));

  it.each(places.map(([, page, groups]) => [page!, groups ?? ""] as const))(
    "%s loads all that it says",
    (page, groups) => {
      const own = new Set(
        ["core", ...groups.matchAll(/"(\w+)"/g)].map((one) => (typeof one === "string" ? one : one[1]!)),
      );
      for (const file of reached(`../pages/${page}.svelte`)) {
        if (file.startsWith("../texts/") || file === "../lib/places.ts") continue;
        // Keys that are written out, and the beginnings of those that are put together.
        for (const [, key] of sources[file]!.matchAll(/\bt\(\s*(?:[^()"`]*\?\s*)?["`]([a-z]+\.[\w.-]*)/g))
          expect(own, `${file}: ${key}`).toContain(home.get(key!) ?? prefixes.get(key!.split(".")[0]!) ?? "core");
        for (const [, group] of sources[file]!.matchAll(/\bword\(\s*["`]([a-z]+)/g))
          expect(own, `${file}: ${group}`).toContain(prefixes.get(group!) ?? "core");
      }
    },
  );

  it("is looked at in all its places", () => {
    expect(places.length).toBeGreaterThan(10);
  });
});
